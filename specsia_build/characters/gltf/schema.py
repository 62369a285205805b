"""Typed structs of a glTF document, named as in the specification; keys that no reader needs are skipped."""

from __future__ import annotations

import sys
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, field

_Index = Annotated[int, Meta(ge=0, le=2**53)]
_Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Two = tuple[_Number, _Number]
Three = tuple[_Number, _Number, _Number]
Four = tuple[_Number, _Number, _Number, _Number]
# Part of a node's transform: exporters write null or NaN at nodes that carry nothing
MaybeNumber = float | None


class Struct(msgspec.Struct, rename="camel", gc=False):
    """An object of the file."""


class Extensions(Struct):
    """Extensions of the document and of all kinds of entries."""

    vrm: Any = field(default=None, name="VRM")
    vrmc_vrm: Any = field(default=None, name="VRMC_vrm")
    vrmc_vrm_animation: Any = field(default=None, name="VRMC_vrm_animation")
    draco: Draco | None = field(default=None, name="KHR_draco_mesh_compression")
    meshopt: Meshopt | None = field(default=None, name="KHR_meshopt_compression")
    meshopt_ext: Meshopt | None = field(default=None, name="EXT_meshopt_compression")
    specular_glossiness: SpecularGlossiness | None = field(
        default=None, name="KHR_materials_pbrSpecularGlossiness"
    )
    unlit: dict[str, Any] | None = field(default=None, name="KHR_materials_unlit")
    emissive_strength: ExtensionValues | None = field(default=None, name="KHR_materials_emissive_strength")
    transmission: ExtensionValues | None = field(default=None, name="KHR_materials_transmission")
    transform: TextureTransform | None = field(default=None, name="KHR_texture_transform")
    basisu: ExtensionValues | None = field(default=None, name="KHR_texture_basisu")
    webp: ExtensionValues | None = field(default=None, name="EXT_texture_webp")
    instancing: Instancing | None = field(default=None, name="EXT_mesh_gpu_instancing")
    visibility: NodeVisibility | None = field(default=None, name="KHR_node_visibility")
    levels: CoarserLevels | None = field(default=None, name="MSFT_lod")
    classic: ClassicMaterial | None = field(default=None, name="SPECSIA_material")

    def __post_init__(self) -> None:
        # A damaged VRM extension counts as an empty one.
        for key in ("vrm", "vrmc_vrm", "vrmc_vrm_animation"):
            if (value := getattr(self, key)) is not None:
                setattr(self, key, msgspec.convert(value, Vrm) if isinstance(value, dict) else Vrm())


class Instancing(Struct):
    attributes: dict[str, _Index] | None = None


class NodeVisibility(Struct):
    visible: bool = True


class CoarserLevels(Struct):
    ids: tuple[_Index, ...] = ()


class Versioned(Struct):
    """What a document of any version has."""

    asset: dict[str, Any] | None = None


class Root(Versioned):
    """The document but for its lists of entries."""

    extensions_required: list[str] | None = None
    extensions_used: list[str] | None = None
    extensions: Extensions | None = None
    scene: int | None = None


class GltfEntry(Struct, kw_only=True):
    """An entry of one of the document's lists, which `key` names. A name that is not text counts as none."""

    key: ClassVar[str]
    name: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            self.name = None


class Scene(GltfEntry):
    key = "scenes"
    nodes: tuple[_Index, ...] | None = None


class Node(GltfEntry):
    key = "nodes"
    children: tuple[_Index, ...] | None = None
    mesh: _Index | None = None
    skin: _Index | None = None
    weights: tuple[_Number, ...] | None = None
    matrix: Annotated[tuple[MaybeNumber, ...], Meta(min_length=16, max_length=16)] | None = None
    translation: tuple[MaybeNumber, MaybeNumber, MaybeNumber] | None = None
    rotation: tuple[MaybeNumber, MaybeNumber, MaybeNumber, MaybeNumber] | None = None
    scale: tuple[MaybeNumber, MaybeNumber, MaybeNumber] | None = None
    extensions: Extensions | None = None


class Primitive(Struct):
    attributes: dict[str, _Index] | None = None
    indices: _Index | None = None
    material: _Index | None = None
    mode: _Index | None = None
    targets: tuple[dict[str, _Index], ...] | None = None
    extensions: Extensions | None = None


class GltfMesh(GltfEntry):
    key = "meshes"
    primitives: tuple[Primitive, ...] | None = None
    weights: tuple[_Number, ...] | None = None


class GltfSkin(GltfEntry):
    key = "skins"
    joints: tuple[_Index, ...] | None = None
    inverse_bind_matrices: _Index | None = None


class GltfTarget(Struct):
    path: str | None = None
    node: _Index | None = None


class Channel(Struct):
    sampler: _Index
    target: GltfTarget


class AnimationSampler(Struct):
    input: _Index
    output: _Index
    interpolation: str | None = None


class Animation(GltfEntry):
    key = "animations"
    channels: tuple[Channel, ...] | None = None
    samplers: tuple[AnimationSampler, ...] | None = None


class TextureTransform(Struct):
    tex_coord: _Index | None = None
    offset: Two | None = None
    rotation: _Number | None = None
    scale: Two | None = None
    skew: _Number = field(default=0.0, name="SPECSIA_skew")  # Of textures of FBX files


class TextureInfo(Struct):
    index: _Index
    tex_coord: _Index | None = None
    extensions: Extensions | None = None


class BaseColor(Struct):
    factor: Four | None = field(default=None, name="baseColorFactor")
    texture: TextureInfo | None = field(default=None, name="baseColorTexture")


class SpecularGlossiness(Struct):
    factor: Four | None = field(default=None, name="diffuseFactor")
    texture: TextureInfo | None = field(default=None, name="diffuseTexture")


class ExtensionValues(Struct):
    """The values of several small extensions of materials and textures."""

    emissive_strength: _Number = 1.0
    transmission_factor: _Number = 0.0
    transmission_texture: TextureInfo | None = None
    source: _Index | None = None


class ClassicMaterial(Struct):
    """What glTF cannot say of a material of FBX or COLLADA, whose texture also replaces its colour."""

    opacity_texture: TextureInfo | None = None


class GltfMaterial(GltfEntry):
    key = "materials"
    pbr: BaseColor | None = field(default=None, name="pbrMetallicRoughness")
    alpha_mode: str | None = None
    alpha_cutoff: _Number | None = None
    double_sided: Any = False
    emissive_factor: Three | None = None
    emissive_texture: TextureInfo | None = None
    extensions: Extensions | None = None


class GltfTexture(GltfEntry):
    key = "textures"
    source: _Index | None = None
    sampler: _Index | None = None
    extensions: Extensions | None = None


class Image(GltfEntry):
    key = "images"
    uri: str | None = None
    buffer_view: _Index | None = None


class Sampler(GltfEntry):
    key = "samplers"
    wrap_s: _Index | None = None
    wrap_t: _Index | None = None
    mag_filter: _Index | None = None


class SparsePart(Struct):
    buffer_view: _Index
    byte_offset: _Index | None = None
    component_type: _Index | None = None


class Sparse(Struct):
    count: _Index
    indices: SparsePart
    values: SparsePart


class Accessor(GltfEntry):
    key = "accessors"
    component_type: _Index
    count: _Index
    type: str | None = None
    buffer_view: _Index | None = None
    byte_offset: _Index | None = None
    normalized: Any = False
    sparse: Sparse | None = None


class BufferView(GltfEntry):
    key = "bufferViews"
    buffer: _Index
    byte_length: _Index
    byte_offset: _Index | None = None
    byte_stride: _Index | None = None
    extensions: Extensions | None = None


class Buffer(GltfEntry):
    key = "buffers"
    uri: str | None = None


class Draco(Struct):
    buffer_view: _Index
    attributes: dict[str, _Index] | None = None


class Meshopt(Struct):
    buffer: _Index
    byte_length: _Index
    byte_stride: _Index
    count: _Index
    mode: str
    byte_offset: _Index | None = None
    filter: str | None = None


class Vrm(Struct):
    """VRM 0.x, VRM 1.0 or a VRM animation; each part is checked where it is used."""

    material_properties: Any = None
    exporter_version: Any = None
    humanoid: Any = None
    first_person: Any = None


class VrmMaterial(Struct):
    """Unity shader properties of a material in VRM 0.x."""

    shader: str | None = None
    float_properties: dict[str, _Number] = {}
    vector_properties: dict[str, tuple[_Number, ...]] = {}
    texture_properties: dict[str, _Index] = {}
    keyword_map: dict[str, bool] = {}


class MeshAnnotation(Struct):
    """For whose eyes a mesh of VRM 0.x, or the mesh of a node of VRM 1.0, is."""

    mesh: int | None = None
    node: int | None = None
    flag: str | None = field(default=None, name="firstPersonFlag")
    type: str | None = None


class FirstPerson(Struct):
    mesh_annotations: tuple[MeshAnnotation, ...] = ()


class HumanBone(Struct):
    node: int
    bone: str | None = None


class GltfHumanoid(Struct):
    """Bones by name in VRM 1.0, a list of named bones in VRM 0.x."""

    human_bones: dict[str, HumanBone] | tuple[HumanBone, ...] | None = None
