"""FBX and COLLADA files with many features at once, whose every number `test_shared` compares."""

from typing import Any

import numpy as np

from tests.characters.dae import PLAIN, SKINNED, square
from tests.characters.fbx.test_fbx import layer, paint, with_objects
from tests.characters.fbx.writer import Record, as_binary, curve, model, properties, record, scene, thing
from tests.characters.fbx.writer import square as quad
from tests.characters.gltf.writer import png
from tests.hostile.sound import Files

PICTURES = {
    "paint.png": png(np.arange(48).reshape(4, 4, 3) * 5),
    "cut.png": png(np.arange(48)[::-1].reshape(3, 4, 4) * 5),
}


def rich_fbx(name: str) -> Files:
    """The moving square with bind poses, levels of detail, a house of many layers, textures and two takes."""
    points = np.array([(0, 0, 0), (2, 0, 0), (2, 0, 1), (0, 0, 1), (1, 0, 2), (3, 1, 0), (3, 1, 1)], float)
    corners = record("PolygonVertexIndex", np.array([0, 1, 2, -4, 3, 2, -5, 1, 5, 6, -3, 0, 1, -6]))
    numbers, shades = np.arange(14), np.arange(1, 29) / 29
    holes = [record("MappingInformationType", "ByPolygon"), record("ReferenceInformationType", "Direct")]
    holes.append(record("Hole", np.array([0, 0, 1, 0])))
    layers = [
        layer("UV", 0, "ByPolygonVertex", shades[:8] * 3, numbers % 4, Name="a"),
        layer("UV", 1, "ByPolygonVertex", shades[1:9] * 3, numbers % 3, Name="b"),
        layer("Color", 0, "ByPolygonVertex", shades, numbers % 7),
        record("LayerElementHole", 0, inner=holes),
        layer("Material", 0, "ByPolygon", np.array([1, 0, 2, 1])),
    ]
    house = thing("Geometry", 40, "house", "Mesh", record("Vertices", points.ravel()), corners, *layers)
    looks = [
        paint(41, "roof", (0.2, 0.3, 0.4), EmissiveColor=(0.5, 0.1, 0.0), EmissiveFactor=3.0),
        paint(42, "wall", (0.8, 0.8, 0.8), TransparencyFactor=0.25),
        paint(43, "door", (1.0, 1.0, 1.0), Opacity=0.75),
    ]
    textures = []
    for number, image in enumerate(PICTURES):
        file = [record("RelativeFilename", image), record("FileName", image)]
        placed: dict[str, Any] = {"Rotation": (0.0, 0.0, 30.0), "Translation": (0.3, 0.2, 0.0)}
        placed |= {"UVSet": "b"[number:], "WrapModeV": number, "Scaling": (2.0, 3.0, 1.0)}
        textures.append(thing("Texture", 44 + number, image, "", *file, properties(**placed)))
    turned: dict[str, Any] = {"RotationActive": 1, "PreRotation": (90.0, 20.0, 0.0), "RotationOrder": 2}
    spun: dict[str, Any] = {"PreRotation": (0.0, 0.0, 90.0)}
    models = [
        model(50, "house", GeometricTranslation=(1.0, 0.0, 0.5), **turned, Lcl_Rotation=(10.0, 0.0, 90.0)),
        model(51, "levels", sort="LodGroup"),
        *(model(k, f"level{k}", Lcl_Translation=(3.0, k / 10, 0.0), **spun) for k in (52, 53)),
        model(54, "tip", Lcl_Scaling=(0.5, 2.0, 1.0), InheritType=2, PreRotation=(90.0, 0.0, 0.0)),
        thing("NodeAttribute", 55, "", "LodGroup", record("TypeFlags", "LodGroup")),
        model(56, "low", Lcl_Translation=(0.0, 0.0, 5.0)),
        model(57, "below", Visibility=0.0, Show=0),
    ]
    bind = np.array([[0, 2, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [3, 2, 1, 1]], float)
    shift = np.array([[0.0] * 4] * 3 + [[1.0, 1.0, 1.0, 0.0]])
    bones = list[Record]()
    for k in range(5):
        weights = [
            record("Indexes", np.arange(1, 3 + k % 2)),
            record("Weights", np.arange(2 + k % 2) / (k + 2)),
        ]
        weights += [
            record("Transform", np.eye(4).ravel()),
            record("TransformLink", (bind + k * shift).ravel()),
        ]
        bones.append(thing("Deformer", 60 + k, f"joint{k}", "Cluster", *weights))
        bones.append(model(70 + k, f"bone{k}", sort="LimbNode", Lcl_Translation=(0.0, k / 2, 1.0)))
    lesser = [record(name, np.eye(4).ravel()) for name in ("Transform", "TransformLink")]
    bones += [
        quad(46),
        thing("Deformer", 47, "", "Skin"),
        thing("Deformer", 48, "", "Cluster", *weights[:2], *lesser),
    ]
    takes = [
        thing("AnimationStack", 80, "Turn", ""),
        thing("AnimationLayer", 81, "Base", ""),
        thing("AnimationCurveNode", 82, "R", "", properties(**{"d|X": 0.0})),
        thing("AnimationCurveNode", 83, "S", "", properties(**{"d|Y": 1.0})),
        thing("AnimationCurveNode", 84, "DeformPercent", "", properties(DeformPercent=0.0)),
        *(curve(85, (0.0, 90.0, 30.0), 0.3), curve(86, (1.0, 2.0), 0.7), curve(87, (-50.0, 150.0, 20.0))),
    ]
    shape = [record("Indexes", np.array([1, 3])), record("Vertices", np.arange(6) / 4)]
    shapes = [thing("Geometry", k, "", "Shape", *shape) for k in (91, 93, 95)]
    for k in (90, 92, 94):
        shapes.append(thing("Deformer", k, "", "BlendShapeChannel", properties(DeformPercent=k / 3)))
    links = [
        *((40, 50), (50, 0), (40, 52), (40, 53), (51, 0), (55, 51), (52, 51), (53, 51), (56, 53), (46, 56)),
        *((47, 46), (48, 47), (70, 48)),
        *((41, 50), (42, 50), (43, 52), (41, 52), (44, 41, "DiffuseColor"), (45, 41, "TransparentColor")),
        *((44, 43, "EmissiveColor"), (54, 50), (1, 54), (57, 54), (1, 57), (70, 3)),
        *((90, 8), (92, 8), (94, 8), (91, 90), (93, 92), (95, 94)),
        *((60 + k, 5) for k in range(5)),
        *((70 + k, 60 + k) for k in range(5)),
        *((71 + k, 70 + k) for k in range(4)),
        *((81, 80), (82, 81), (83, 81), (84, 81), (82, 70, "Lcl Rotation"), (83, 50, "Lcl Scaling")),
        *((84, 9, "DeformPercent"), (85, 82, "d|X"), (86, 83, "d|Y"), (87, 84, "DeformPercent")),
    ]
    hips = model(3, "Hips", sort="LimbNode", Lcl_Scaling=(1.0, 2.0, 1.0), Lcl_Translation=(0.0, 1.0, 2.0))
    axes = {"UpAxis": 0, "UpAxisSign": -1, "CoordAxis": 2, "UnitScaleFactor": 50.0, "TimeMode": 11}
    objects = [house, *looks, *textures, *models, *bones, *takes, *shapes]
    header, _, own, pairs = with_objects({2: hips}, objects, links)
    return {f"{name}.fbx": as_binary([header, scene([], [], **axes)[1], own, pairs]), **PICTURES}


LOOKS = {
    "n": """<emission><texture texture="t" texcoord="CHANNEL"/></emission>
<diffuse><color>.9 .9 .9012 1</color></diffuse>
<transparent opaque="RGB_ZERO"><color>.2 .4 .6 1</color></transparent>
<transparency><float>.5</float></transparency>""",
    "o": """<emission><color>.5 .2 .1 1</color></emission>
<diffuse><texture texture="t" texcoord="X"/></diffuse>
<transparent><texture texture="cut" texcoord="X"/></transparent>""",
    "q": """<diffuse><texture texture="t" texcoord="CHANNEL"/></diffuse>
<transparent><texture texture="t" texcoord="X"/></transparent>""",
}
LOOK = """<library_effects><effect id="e{0}"><profile_COMMON>
<newparam sid="s"><surface type="2D"><init_from>i</init_from></surface></newparam>
<newparam sid="t"><sampler2D><source>s</source></sampler2D></newparam>
<newparam sid="c"><surface type="2D"><init_from>j</init_from></surface></newparam>
<newparam sid="cut"><sampler2D><source>c</source></sampler2D></newparam>
<technique sid="common"><lambert>{1}</lambert></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="m{0}"><instance_effect url="#e{0}"/></material></library_materials>"""
MORE = """<library_images><image id="j"><init_from>cut.png</init_from></image></library_images>
<library_nodes><node id="part"><rotate>0 0 1 30</rotate><instance_geometry url="#h"><bind_material>
<technique_common><instance_material symbol="one" target="#mn"/>
<instance_material symbol="two" target="#mo">
<bind_vertex_input semantic="X" input_semantic="TEXCOORD" input_set="2"/></instance_material>
<instance_material symbol="three" target="#mq"/></technique_common></bind_material></instance_geometry>
</node></library_nodes><library_geometries><geometry id="h"><mesh><source id="hp">
<float_array id="hpa" count="18"> 0 0 0 1 0 0 1 1 0 0 1 1 .5 2 0 2 2 1</float_array><technique_common>
<accessor source="#hpa" count="6" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>
<param name="Z" type="float"/></accessor></technique_common></source><source id="hu">
<float_array id="hua" count="12">.1 .2 1 0 .7 1 .3 .9 2 -1 .6 .4</float_array><technique_common>
<accessor source="#hua" count="6" stride="2"><param name="S" type="float"/><param name="T" type="float"/>
</accessor></technique_common></source><source id="hk"><float_array id="hka" count="6">.2 .5 1.5 .8 .1 .3
</float_array><technique_common><accessor source="#hka" count="2" stride="3"><param name="R" type="float"/>
<param name="G" type="float"/><param name="B" type="float"/></accessor></technique_common></source>
<vertices id="hv"><input semantic="POSITION" source="#hp"/></vertices><triangles count="2" material="one">
<input semantic="VERTEX" source="#hv" offset="0"/><input semantic="NORMAL" source="#hp" offset="2"/>
<input semantic="TEXCOORD" source="#hu" offset="0"/><input semantic="COLOR" source="#hk" offset="1"/>
<p>0 1 1 1 0 2 2 1 3 5 0 2 3 1 4 2 0 5</p></triangles><polylist count="2" material="two">
<input semantic="VERTEX" source="#hv" offset="0"/>
<input semantic="TEXCOORD" source="#hu" offset="0" set="0"/>
<input semantic="TEXCOORD" source="#hu" offset="1" set="2"/><vcount>5 3</vcount>
<p>0 0 1 1 2 2 4 3 3 0 1 3 2 2 5 1</p></polylist><triangles count="1" material="three">
<input semantic="VERTEX" source="#hv" offset="0"/><input semantic="TEXCOORD" source="#hu" offset="0"/>
<input semantic="TEXCOORD" source="#hu" offset="1"/><input semantic="COLOR" source="#hk" offset="1"/>
<p>0 1 1 1 5 0</p></triangles><triangles count="1"><input semantic="VERTEX" source="#hv" offset="0"/>
<input semantic="COLOR" source="#hk" offset="1"/><p>4 1 1 1 5 0</p></triangles><lines count="1">
<input semantic="VERTEX" source="#hv" offset="0"/><p>0 1</p></lines></mesh></geometry></library_geometries>"""


def rich_dae(name: str) -> Files:
    """The skinned square, bound elsewhere, with five influences, and parts of a geometry of many looks."""
    looks = "".join(LOOK.format(*look) for look in LOOKS.items())
    again = '<node><matrix>0 2 0 1 -1 0 0 2 0 0 1 3 0 0 0 1</matrix><instance_node url="#part"/></node>'
    shown = SKINNED + PLAIN + again + again.replace(" 3 ", " 5 ")
    text = square(shown, motions=looks + MORE, image="paint.png", up="Z_UP", unit="0.5")
    text = text.replace("<vcount>0 1 1 2</vcount><v>0 0", "<vcount>0 5 1 2 1</vcount><v>0 0 1 1 0 1 1 0 0 0")
    # An influence of a vertex that is not there
    text = text.replace("</v></vertex_weights>", " 0 0</v></vertex_weights>")
    text = text.replace("1 0 0 1 0 1 0 0 0 0 1 0 0 0 0 1</bind", "0 2 0 1 -1 0 0 0 0 0 1 3 0 0 0 1</bind")
    return {f"{name}.dae": text.encode(), **PICTURES}
