"""Classes of characters that X tells apart, as parts of regular expressions."""

from __future__ import annotations

from typing import Final

SPACES: Final = r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
DIRECTIONAL: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks that turn the direction of writing."""

INVALID: Final = r"\ufffe\ufeff\uffff"
"""X refuses a post with one of these."""

PUNCTUATION: Final = r"""!'#%&'()*+,\-./\\:;<=>?@\[\]^_{|}~$"""
ACCENTED: Final = (
    r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268"
    r"\u026f\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)
CYRILLIC: Final = r"\u0400-\u04ff"
