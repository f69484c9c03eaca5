"""Names and versions as hypothesis draws them, for the laws about what is written and read back."""

from __future__ import annotations

from hypothesis import strategies as st

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda n: n != "all"
)
VERSIONS = st.builds(
    "{}.{}.{}{}{}".format,
    st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
    st.sampled_from(["", "-rc.1", "-a-b", "-0a"]), st.sampled_from(["", "+b.1"]),
)  # fmt: skip
