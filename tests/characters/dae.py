"""A COLLADA file by hand: a square of metre units, its skin, and its material with two sets of UVs."""

SQUARE = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 2.0, 0.0), (0.0, 2.0, 0.0))
PLAIN = '<instance_geometry url="#g">{0}</instance_geometry>'
SKINNED = '<instance_controller url="#c"><skeleton>#hip</skeleton>{0}</instance_controller>'

_BOUND = """<bind_material><technique_common><instance_material symbol="cloth" target="#m">
<bind_vertex_input semantic="CHANNEL" input_semantic="TEXCOORD" input_set="1"/>
</instance_material></technique_common></bind_material>"""

_FILE = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="any" meter="{unit}"/><up_axis>{up}</up_axis></asset>
<library_images><image id="i"><init_from>{image}</init_from></image></library_images>
<library_effects><effect id="e"><profile_COMMON>
<newparam sid="s"><surface type="2D"><init_from>i</init_from></surface></newparam>
<newparam sid="t"><sampler2D><source>s</source></sampler2D></newparam>
<technique sid="common"><lambert>{look}</lambert>
<extra><technique profile="X"><extra/><extra><bump><texture texture="none" texcoord="CHANNEL"/></bump></extra>
</technique></extra></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="m" name="cloth"><instance_effect url="#e"/></material></library_materials>
<library_geometries><geometry id="g" name="square"><mesh>
<source id="p"><float_array id="pa" count="12">{points}</float_array><technique_common>
<accessor source="#pa" count="4" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>
<param name="Z" type="float"/></accessor></technique_common></source>
<source id="u"><float_array id="ua" count="10">0 0 1 0 1 1 0 1 0.5 0.5</float_array><technique_common>
<accessor source="#ua" count="5" stride="2"><param name="S" type="float"/><param name="T" type="float"/>
</accessor></technique_common></source>
<source id="k"><float_array id="ka" count="4">{colour}</float_array><technique_common>
<accessor source="#ka" count="1" stride="4"><param name="R" type="float"/><param name="G" type="float"/>
<param name="B" type="float"/><param name="A" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<polylist count="1" material="cloth"><input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="TEXCOORD" source="#u" offset="1" set="0"/>
<input semantic="TEXCOORD" source="#u" offset="2" set="1"/>
<input semantic="COLOR" source="#k" offset="3"/>
<vcount>4</vcount><p>0 4 0 0 1 4 1 0 2 4 2 0 3 4 3 0</p></polylist></mesh></geometry></library_geometries>
<library_controllers><controller id="c"><skin source="#g">
<bind_shape_matrix>1 0 0 1 0 1 0 0 0 0 1 0 0 0 0 1</bind_shape_matrix>
<source id="j"><Name_array id="ja" count="2">hip {arm}</Name_array><technique_common>
<accessor source="#ja" count="2" stride="1"><param name="JOINT" type="name"/></accessor>
</technique_common></source>
<source id="b"><float_array id="ba" count="32">1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
1 0 0 0 0 1 0 -2 0 0 1 0 0 0 0 1</float_array><technique_common>
<accessor source="#ba" count="2" stride="16"><param name="TRANSFORM" type="float4x4"/></accessor>
</technique_common></source>
<source id="w"><float_array id="wa" count="2">1 0.5</float_array><technique_common>
<accessor source="#wa" count="2" stride="1"><param name="WEIGHT" type="float"/></accessor>
</technique_common></source>
<joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#b"/></joints>
<vertex_weights count="4"><input semantic="JOINT" source="#j" offset="0"/>
<input semantic="WEIGHT" source="#w" offset="1"/>
<vcount>0 1 1 2</vcount><v>0 0 1 0 0 1 1 1</v></vertex_weights></skin></controller></library_controllers>
{motions}
<library_visual_scenes><visual_scene id="scene">
<node id="hip" sid="hip" type="JOINT"><node id="high" sid="arm" type="JOINT">
<matrix>1 0 0 0 0 1 0 2 0 0 1 1 0 0 0 1</matrix></node></node>
<node id="holder"><translate>0 0 3</translate>{shown}</node>
</visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#scene"/></scene>
</COLLADA>
"""

TEXTURED = '<diffuse><texture texture="t" texcoord="CHANNEL"/></diffuse>'
WHITE = "<diffuse><color>1 1 1 1</color></diffuse>"
MOTIONS = '<library_animations><animation id="walk"/></library_animations>'


def square(shown: str = PLAIN, look: str = TEXTURED, **more: str) -> str:
    """The file, with the square as it is or in a skin whose arm is moved towards the viewer."""
    points = " ".join(str(value) for point in SQUARE for value in point)
    stated = {
        "unit": "1",
        "up": "Y_UP",
        "image": "paint.png",
        "colour": "1 1 1 1",
        "arm": "arm",
        "motions": "",
    }
    return _FILE.format(shown=shown.format(_BOUND), look=look, points=points, **stated | more)
