"""What can go wrong, for callers to catch: one base, and two that tell a refusal from a server away."""

from __future__ import annotations


class LabscaleError(Exception):
    """Something that the user can mend.

    Attributes
    ----------
    code
        A code of the contract's problems, or one of this package's own in the same form.
    detail
        What happened, in plain words.
    mend
        What to do about it; may be empty.
    field
        The field at fault, where there is one.
    """

    code = "LABSCALE"

    def __init__(
        self, detail: str, mend: str = "", *, code: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(f"{detail} {mend}".strip())
        self.code = code or type(self).code
        self.detail = detail
        self.mend = mend
        self.field = field

    def as_problem(self) -> dict[str, str]:
        """The same as RFC 9457 names it, without what is empty."""
        parts = {"code": self.code, "detail": self.detail, "field": self.field, "mend": self.mend}
        return {name: value for name, value in parts.items() if value}


class ServerAwayError(LabscaleError):
    """No server answers."""

    code = "SERVER_AWAY"


class RefusedError(LabscaleError):
    """The server answered with a problem; `code` is one of the contract's."""

    code = "REFUSED"

    def __init__(self, problem: dict[str, object]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or "the server refused the request"),
            str(problem.get("mend") or ""),
            code=str(problem.get("code") or "REFUSED"),
            field=str(problem["field"]) if problem.get("field") else None,
        )
        self.status = problem.get("status")
