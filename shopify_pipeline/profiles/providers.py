"""What is known of mail providers: which spellings reach one mailbox, which domains are typos."""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Provider:
    """How a provider delivers: under which domain, and whether dots in the local part count."""

    domain: str
    dots_count: bool = True


# Each of these is documented by its provider to deliver `name+tag@` to `name@`. Domains that are
# aliases only for some accounts (me.com and icloud.com, proton.me and pm.me) are kept apart.
_PLUS_TAGS = """
    outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.co.id outlook.co.th
    outlook.com.au outlook.com.br outlook.ph outlook.sg outlook.my
    hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it hotmail.co.jp
    hotmail.co.id hotmail.ca hotmail.nl hotmail.com.br live.com live.co.uk live.de live.fr
    live.nl live.ca live.com.au msn.com icloud.com me.com mac.com fastmail.com fastmail.fm
    protonmail.com proton.me pm.me yandex.ru yandex.com ya.ru zoho.com mailbox.org posteo.de
    runbox.com hey.com
"""

PROVIDERS: Mapping[str, Provider] = {
    **{domain: Provider(domain) for domain in _PLUS_TAGS.split()},
    "gmail.com": Provider("gmail.com", dots_count=False),
    "googlemail.com": Provider("gmail.com", dots_count=False),
}
"""Providers that are known to support plus tags, by domain."""

# In the order in which a typo that fits several is attributed.
_COMMON = (
    *("gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "live.com"),
    *("googlemail.com", "msn.com", "protonmail.com", "proton.me", "comcast.net", "verizon.net"),
    *("yahoo.co.uk", "yahoo.co.id", "yahoo.co.jp", "yahoo.com.br", "yahoo.com.au", "yahoo.fr"),
    *("yahoo.de", "yahoo.co.in", "yahoo.ca", "rocketmail.com", "hotmail.co.uk", "hotmail.fr"),
    *("hotmail.de", "hotmail.it", "hotmail.es", "outlook.de", "outlook.fr", "live.co.uk"),
    *("btinternet.com", "sky.com", "web.de", "t-online.de", "orange.fr", "wanadoo.fr", "free.fr"),
    *("libero.it", "mail.ru", "yandex.ru", "naver.com", "rediffmail.com", "sbcglobal.net"),
)
_OWN_RIGHT = """
    mail.com email.com ymail.com gmx.com gmx.de gmx.net gmx.at fmail.com aim.com me.com mac.com
    love.com pm.me live.de live.fr live.nl live.ca ya.ru hmail.com tmail.com zmail.com yahoo.in
    yahoo.it yahoo.es yahoo.co yahoo.cl yahoo.se web.com free.com orange.com sky.de
"""
_LETTERS = string.ascii_lowercase + string.digits + "-"


@cache
def typos() -> Mapping[str, str]:
    """Every domain one edit away from a common one, and which one it was probably meant to be.

    An edit is a letter dropped, added, replaced, or swapped with its neighbour. Domains that
    exist in their own right are left out.
    """
    known = {*_COMMON, *PROVIDERS, *_OWN_RIGHT.split()}
    found: dict[str, str] = {}
    for meant in _COMMON:
        for written in _one_edit_away(meant):
            if written not in known:
                found.setdefault(written, meant)
    return found


def _one_edit_away(word: str) -> Iterator[str]:
    for i in range(len(word) + 1):
        left, right = word[:i], word[i:]
        if right:
            yield left + right[1:]
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]
        for letter in _LETTERS:
            yield left + letter + right
            if right:
                yield left + letter + right[1:]
