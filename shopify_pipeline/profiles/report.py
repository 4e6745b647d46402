"""What a linking run tells."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class LinkReport:
    """What a linking run saw and did. `problem` says why it refused to do anything."""

    problem: str | None = None
    whole: bool = False
    changed_customers: int = 0
    changed_profiles: int = 0
    gone_customers: int = 0
    gone_profiles: int = 0
    judged: int = 0
    linked: int = 0
    released: int = 0
    rule_changed: int = 0
    restored: int = 0
    written: int = 0
    links: int = 0
    customers: int = 0
    profiles: int = 0
    conflicts: int = 0
    candidates: int = 0
    seconds: float = 0.0

    def __add__(self, later: "LinkReport") -> "LinkReport":
        """Both together: what each did, and what there was in the end."""
        return replace(
            later, **{name: getattr(self, name) + getattr(later, name) for name in _DONE}
        )


_DONE = (
    *("changed_customers", "changed_profiles", "gone_customers", "gone_profiles", "judged"),
    *("linked", "released", "rule_changed", "restored", "written", "seconds"),
)
