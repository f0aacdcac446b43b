"""``tagsight encoders``: the encoders that can be used, in a table."""

from __future__ import annotations

from tagsight.commands.output import print_info, print_table


def encoders(pattern: str = "", /, *, measure: bool = False) -> None:
    """List image encoders: one of each family, or all whose names match a pattern.

    ```console
    tagsight encoders
    tagsight encoders 'test_vit*' --measure
    ```

    The name is what 'tagsight train' takes as --system.backbone.name.

    Args:
        pattern: Part of a name, or a name with * and ? as wildcards; at most 40 are listed.
        measure: Measure how many photos per second they encode on this machine, at most 8 of them.
    """
    if pattern or measure:
        print_info("building encoders")

    from tagsight.nn.encoder_list import HEAD, cells
    from tagsight.nn.encoder_list import encoders as matching

    found = matching(pattern, measure=measure)
    shown = len(HEAD) if measure else len(HEAD) - 1
    print_table(HEAD[:shown], (cells(row)[:shown] for row in found))
    for note in found.notes():
        print_info(note)
    if not pattern:
        print_info(
            "one of each family; 'tagsight encoders PATTERN' lists others, such as 'dinov3' or "
            "'convnext*'; a name is given as --system.backbone.name"
        )
