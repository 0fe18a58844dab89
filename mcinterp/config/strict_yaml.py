"""YAML as data alone: nothing in it is executed, a key stands once, and nothing stands for something else."""

from __future__ import annotations

from typing import Any

import yaml

DEEPEST = 50
"""Lists and mappings within each other; reading takes time by the square of it."""


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML would take the last, and aliases, which a few lines make endless."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"*{event.anchor} in line {event.start_mark.line + 1} is an alias: write it out")
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key.value, str):
                raise yaml.YAMLError(f"{key.value} is given twice, again in line {key.start_mark.line + 1}")
            seen.add(key.value if isinstance(key.value, str) else None)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """Turn YAML text into plain data.

    Raises:
        yaml.YAMLError: with what is wrong in one line.
    """
    try:
        return yaml.load(text, _StrictLoader)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # ValueError: a date that no calendar has
        raise yaml.YAMLError(" ".join(str(error).split())) from None
