"""Which takes of an FBX file are sums of layers, which its importer makes an action of each."""


def remember_layers(store):
    """Have Blender's importer leave in the dict `store` the names of the layers of each take that has several.

    A layer that moves nothing is none. Without that importer, which is an add-on and may change, nothing is left.
    """
    try:
        from io_scene_fbx import import_fbx

        read, name_of = import_fbx.blen_read_animations, import_fbx.elem_name_ensure_class
    except (ImportError, AttributeError):
        return

    def remember(stack_template, layer_template, stacks, *more):
        for (stack, _), layers in stacks.values():
            names = [name_of(layer, b"AnimLayer") for (layer, _), moved in layers.values() if moved]
            if len(names) > 1:
                store[name_of(stack, b"AnimStack")] = names
        return read(stack_template, layer_template, stacks, *more)

    remember.own = getattr(read, "own", read)
    import_fbx.blen_read_animations = remember
