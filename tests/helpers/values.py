"""Arguments of each type that a tool takes, drawn by hypothesis."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

WRITABLE = st.text(
    st.one_of(st.characters(exclude_categories=["C", "Zl", "Zp"]), st.sampled_from("\n\t\\\"'")), max_size=40
)
VALUES = {
    "number": st.fractions(max_denominator=10**6) | st.decimals(-(10**9), 10**9, places=7).map(Fraction),
    "text": WRITABLE,
    "texts": st.lists(WRITABLE, max_size=4).map(tuple),
}
VALUES["value"] = VALUES["number"] | VALUES["text"]
