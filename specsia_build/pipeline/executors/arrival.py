"""What runs on a node of a Ray cluster that may not have this very package: it is sent by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def look(wanted: dict[str, Any]) -> tuple[str, str | None]:
    """This node's id, and what it lacks, in a sentence, or None.

    Args:
        wanted: attributes of `Here`.
    """
    import platform

    import ray

    node = str(ray.get_runtime_context().get_node_id())
    try:
        from specsia_build.pipeline.executors.here import Here

        here = Here(**wanted)
    # Another version may want other things to know.
    except (ImportError, TypeError) as error:
        return node, f"the node {platform.node()} has not this specsia ({error}): install it where its Ray runs"
    return node, here.fault()


def probe(wanted: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """See `look`; a generator, as what one gives needs no room in Ray's object store."""
    yield look(wanted)


def work(wanted: dict[str, Any], packed: bytes) -> Iterator[Any]:
    """What a task does: gives what `look` does, and then, where nothing is lacking, what `shares.do` does."""
    node, fault = look(wanted)
    if fault is not None:
        yield node, fault
        return
    from specsia_build.pipeline.executors.shares import TaskItems

    share = TaskItems.unpacked(packed)
    yield node, None
    yield from share.done()


class Holder:
    """An actor: a process that is kept for one slot, and with it what the function keeps loaded."""

    def begin(self, wanted: dict[str, Any], packed: bytes) -> tuple[str, str | None]:
        """Take the GPU that Ray gave; gives what `look` does.

        Args:
            wanted: attributes of `Here`.
            packed: `Needs`.
        """
        import pickle

        import ray

        node, fault = look(wanted)
        if fault is None:
            from specsia_build.pipeline.executors.shares import hold

            needs = pickle.loads(packed)  # noqa: S301  of the command that started this
            if needs.memory is not None:
                hold(needs.memory)
            if needs.gpus and needs.work_on is not None:
                needs.work_on(",".join(ray.get_runtime_context().get_accelerator_ids()["GPU"]))
        return node, fault

    def apply(self, packed: bytes) -> Any:
        """The result of the one item of a `TaskItems`."""
        from specsia_build.pipeline.executors.shares import TaskItems

        share = TaskItems.unpacked(packed)
        return share.whole(share.items[0])
