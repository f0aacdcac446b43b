"""``tagsight encoders``: the encoders that can be used, in a table."""

from __future__ import annotations

from tagsight.commands.output import print_info, print_table


def encoders(pattern: str = "", /, *, measure: bool = False) -> None:
    """List image encoders: one of each family, or all whose names match a pattern.

    Args:
        pattern: Part of a name, or a name with * and ? as wildcards; at most 40 are listed.
        measure: Measure how many photos per second they encode on this machine, at most 8 of them.

    Example:
        >>> from tagsight.cli import main
        >>> main(["encoders", "test_vit3"])
        encoder    stride  channels  parameters  pixels  weights
        test_vit3  16      96        0.8 M       160     hub: r160_in1k
        0
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
