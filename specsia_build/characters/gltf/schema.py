"""The JSON of a glTF file as typed structs: what a picture depends on, and nothing else of it is even decoded."""

from __future__ import annotations

import sys
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Raw, field

LARGEST_INTEGER = 2**53
"""Integers above this are not exact in JSON numbers of other programs, and no count or offset needs them."""

Index = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
# Bounds leave out what is not finite.
Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Two = tuple[Number, Number]
Three = tuple[Number, Number, Number]
Four = tuple[Number, Number, Number, Number]
# Of a place in the hierarchy: exporters write null or NaN where something has no size, also of nodes that show nothing.
Odd = float | None


class Struct(msgspec.Struct, rename="camel", gc=False):
    """An object of the file; null is as if the key were absent, and so is every key that is not named here."""


class Extensions(Struct):
    """What extensions add to objects, each to one kind of them.

    A damaged VRM is as if it said nothing more than that it is there.
    """

    vrm: Any = field(default=None, name="VRM")
    vrmc_vrm: Any = field(default=None, name="VRMC_vrm")
    vrmc_vrm_animation: Any = field(default=None, name="VRMC_vrm_animation")
    # Of nodes.
    constraint: Any = field(default=None, name="VRMC_node_constraint")
    visibility: Any = field(default=None, name="KHR_node_visibility")
    instancing: Instancing | None = field(default=None, name="EXT_mesh_gpu_instancing")
    # Of primitives and buffer views.
    draco: Draco | None = field(default=None, name="KHR_draco_mesh_compression")
    meshopt: Meshopt | None = field(default=None, name="KHR_meshopt_compression")
    meshopt_ext: Meshopt | None = field(default=None, name="EXT_meshopt_compression")
    # Of materials, whose `unlit` counts by being there, and textures.
    glossy: Glossy | None = field(default=None, name="KHR_materials_pbrSpecularGlossiness")
    unlit: dict[str, Any] | None = field(default=None, name="KHR_materials_unlit")
    glow: EmissiveStrength | None = field(default=None, name="KHR_materials_emissive_strength")
    transmission: Transmission | None = field(default=None, name="KHR_materials_transmission")
    transform: TextureTransform | None = field(default=None, name="KHR_texture_transform")
    basisu: OtherSource | None = field(default=None, name="KHR_texture_basisu")
    webp: OtherSource | None = field(default=None, name="EXT_texture_webp")

    def __post_init__(self) -> None:
        for key in ("vrm", "vrmc_vrm", "vrmc_vrm_animation"):
            if (value := getattr(self, key)) is not None:
                setattr(self, key, msgspec.convert(value, Vrm) if isinstance(value, dict) else Vrm())


class Asset(Struct):
    version: str | float | None = None


class VrmMaterial(Struct):
    """Properties of a Unity shader: a VRM 0.x file has one for each glTF material."""

    shader: str | None = None
    float_properties: dict[str, Number] = {}
    vector_properties: dict[str, tuple[Number, ...]] = {}
    texture_properties: dict[str, Index] = {}
    keyword_map: dict[str, bool] = {}


class Vrm(Struct):
    """What VRM 0.x, VRM 1.0 or VRM animation say; each is checked where it is used."""

    exporter_version: Any = None
    material_properties: Any = None
    humanoid: Any = None
    first_person: Any = None
    expressions: Any = None
    look_at: Any = None


class HumanBone(Struct):
    """A bone of VRM's humanoid; only VRM 0.x names it here."""

    node: int
    bone: str | None = None


class Humanoid(Struct):
    """Bones by name in VRM 1.0, a list of bones in VRM 0.x."""

    human_bones: dict[str, HumanBone] | tuple[HumanBone, ...] | None = None


class MeshAnnotation(Struct):
    """In whose eyes a mesh is shown; VRM 0.x names the mesh and its flag, VRM 1.0 the node and its type."""

    mesh: int | None = None
    node: int | None = None
    first_person_flag: str | None = None
    type: str | None = None


class FirstPerson(Struct):
    mesh_annotations: tuple[MeshAnnotation, ...] | None = None


class Root(Struct):
    """The document; the entries of its lists stay text until they are used, see `Entry`."""

    asset: Asset | None = None
    extensions_required: list[str] | None = None
    extensions: Extensions | None = None
    scene: int | float | None = None
    scenes: list[Raw] | None = None
    nodes: list[Raw] | None = None
    meshes: list[Raw] | None = None
    skins: list[Raw] | None = None
    animations: list[Raw] | None = None
    materials: list[Raw] | None = None
    textures: list[Raw] | None = None
    images: list[Raw] | None = None
    samplers: list[Raw] | None = None
    accessors: list[Raw] | None = None
    buffer_views: list[Raw] | None = None
    buffers: list[Raw] | None = None

    def count(self, key: str) -> int:
        """How many entries one of the lists has, by its name in the file."""
        return len(self.entries(key))

    def entries(self, key: str) -> list[Raw]:
        """One of the lists, by its name in the file."""
        return getattr(self, "buffer_views" if key == "bufferViews" else key) or []


class Entry(Struct):
    """An entry of one of the document's lists, which are called `key` in the file."""

    key: ClassVar[str]

    def __post_init__(self) -> None:
        # A name decides nothing of a picture, so a value that is no text is none.
        if not isinstance(getattr(self, "name", None), str | None):
            self.name = None


class Scene(Entry):
    key = "scenes"
    nodes: tuple[Index, ...] | None = None


class Following(Struct):
    """By what a node follows another: VRM's roll and aim have an axis, each of its own."""

    source: Index
    roll_axis: str = ""
    aim_axis: str = ""
    weight: Number = 1.0


class Followings(Struct):
    roll: Following | None = None
    aim: Following | None = None
    rotation: Following | None = None


class Follower(Struct):
    constraint: Followings


class Instancing(Struct):
    attributes: dict[str, Index] | None = None


class Node(Entry):
    key = "nodes"
    extensions: Extensions | None = None
    name: Any = None
    children: tuple[Index, ...] | None = None
    mesh: Index | None = None
    skin: Index | None = None
    weights: tuple[Number, ...] | None = None
    matrix: Annotated[tuple[Odd, ...], Meta(min_length=16, max_length=16)] | None = None
    translation: tuple[Odd, Odd, Odd] | None = None
    rotation: tuple[Odd, Odd, Odd, Odd] | None = None
    scale: tuple[Odd, Odd, Odd] | None = None


class Draco(Struct):
    """Where a primitive's triangles and attributes lie in Draco's form; attributes are named by their ids there."""

    buffer_view: Index
    attributes: dict[str, Index] | None = None


class Primitive(Struct):
    attributes: dict[str, Index] | None = None
    indices: Index | None = None
    material: Index | None = None
    mode: Index | None = None
    targets: tuple[dict[str, Index], ...] | None = None
    extensions: Extensions | None = None


class Mesh(Entry):
    key = "meshes"
    name: Any = None
    primitives: tuple[Primitive, ...] | None = None
    weights: tuple[Number, ...] | None = None


class Target(Struct):
    path: str | None = None
    node: Index | None = None


class Channel(Struct):
    sampler: Index
    target: Target


class Curve(Struct):
    """Values of something at times, and how it goes on between them."""

    input: Index
    output: Index
    interpolation: str | None = None


class Animation(Entry):
    key = "animations"
    name: Any = None
    channels: tuple[Channel, ...] | None = None
    samplers: tuple[Curve, ...] | None = None


class Named(Entry):
    """An animation of which only the name counts."""

    key = "animations"
    name: Any = None


class Skin(Entry):
    key = "skins"
    joints: tuple[Index, ...] | None = None
    inverse_bind_matrices: Index | None = None


class TextureTransform(Struct):
    tex_coord: Index | None = None
    offset: Two | None = None
    rotation: Number | None = None
    scale: Two | None = None


class Slot(Struct):
    """Where a material names a texture."""

    index: Index
    tex_coord: Index | None = None
    extensions: Extensions | None = None


class Metallic(Struct):
    factor: Four | None = field(default=None, name="baseColorFactor")
    texture: Slot | None = field(default=None, name="baseColorTexture")


class Glossy(Struct):
    factor: Four | None = field(default=None, name="diffuseFactor")
    texture: Slot | None = field(default=None, name="diffuseTexture")


class EmissiveStrength(Struct):
    emissive_strength: Number | None = None


class Transmission(Struct):
    factor: Number | None = field(default=None, name="transmissionFactor")
    texture: Slot | None = field(default=None, name="transmissionTexture")


class Material(Entry):
    key = "materials"
    name: Any = None
    metallic: Metallic | None = field(default=None, name="pbrMetallicRoughness")
    alpha_mode: str | None = None
    alpha_cutoff: Number | None = None
    # Anything but true is false.
    double_sided: Any = False
    emissive_factor: Three | None = None
    emissive_texture: Slot | None = None
    extensions: Extensions | None = None


class OtherSource(Struct):
    """The image of a texture in a format of its own."""

    source: Index | None = None


class Texture(Entry):
    key = "textures"
    source: Index | None = None
    sampler: Index | None = None
    extensions: Extensions | None = None


class Image(Entry):
    key = "images"
    uri: str | None = None
    buffer_view: Index | None = None


class Sampler(Entry):
    key = "samplers"
    wrap_s: Index | None = None
    wrap_t: Index | None = None
    mag_filter: Index | None = None


class SparsePart(Struct):
    """Where a sparse accessor's indices or values lie; values have the accessor's own type."""

    buffer_view: Index
    byte_offset: Index | None = None
    component_type: Index | None = None


class Sparse(Struct):
    count: Index
    indices: SparsePart
    values: SparsePart


class Accessor(Entry):
    key = "accessors"
    component_type: Index
    count: Index
    type: str | None = None
    buffer_view: Index | None = None
    byte_offset: Index | None = None
    # Anything but true is false.
    normalized: Any = False
    sparse: Sparse | None = None


class Meshopt(Struct):
    """Where a buffer view's bytes lie in meshoptimizer's form."""

    buffer: Index
    byte_length: Index
    byte_stride: Index
    count: Index
    mode: str
    byte_offset: Index | None = None
    filter: str | None = None


class BufferView(Entry):
    key = "bufferViews"
    buffer: Index
    byte_length: Index
    byte_offset: Index | None = None
    byte_stride: Index | None = None
    extensions: Extensions | None = None


class Buffer(Entry):
    key = "buffers"
    byte_length: Index
    uri: str | None = None
