"""What became of one run of a batch."""

from dataclasses import dataclass

from lca_analysis.errors import explain

OPEN, COMPUTE, ANALYZE, REPORT = "open", "compute", "analyze", "report"
STAGES = (COMPUTE, ANALYZE, REPORT)


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes
    ----------
    path : str
        Its folder.
    run : str
        Its name in the store; that of the folder where it could not be opened.
    did : tuple of str
        The stages that were carried out now: "compute", "analyze", "report"; none for a run that was up to date.
    notes : tuple of str
        What a reader should know of it.
    stage : str
        The stage that failed; empty when none did.
    reason : str
        Why it failed.
    exit_code : int
        What the command for that stage would have exited with; 0 when none failed.
    """

    path: str
    run: str
    did: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stage: str = ""
    reason: str = ""
    exit_code: int = 0

    @property
    def failed(self) -> bool:
        """Whether a stage failed."""
        return bool(self.stage)


def failure(path: str, run: str, stage: str, error: Exception, did: tuple[str, ...] = ()) -> Outcome:
    """Say why a stage of a run failed."""
    reason, code = explain(error)
    return Outcome(path, run, did, (), stage, reason, code)
