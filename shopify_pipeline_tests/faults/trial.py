"""One world under trial: what was done to it, its recovery, and the verdict."""

from dataclasses import dataclass

from shopify_pipeline_tests.faults.report import Report
from shopify_pipeline_tests.faults.verdict import broken_promises, judged
from shopify_pipeline_tests.faults.world import Ended, World

TRIES = 8


@dataclass
class Trial:
    """A scenario's name, its report and its world. `by_fault` says what a failed run is due to."""

    name: str
    report: Report
    world: World
    by_fault: str = "runs that failed by the store's faults"

    def note(self, ended: Ended, where: str) -> None:
        """Keep how a process ended, where that is not simply success."""
        if ended.how == "failed":
            self.report.count(self.name, self.by_fault)
            self.report.say(self.name, f"{where}: a run failed: {ended.why}")
        if ended.how == "killed" and ended.why != "exit code -9":
            self.report.wrong(self.name, where, [f"the process ended with {ended.why}"])

    def check_promises(self, where: str) -> None:
        """See that no checkpoint is beyond what is stored, in the middle of it all."""
        if lies := broken_promises(self.world.truth(), self.world.database_url):
            self.report.wrong(self.name, f"{where}, right after it", lies)

    def recover(self, where: str, *, backfill: bool, busy: bool = False) -> None:
        """Run until one run succeeds, and compare all tables with the truth.

        Where the store was `busy`, it went on after the run had read: the next hourly run follows.
        """
        world = self.world
        for _ in range(TRIES):
            world.let_leases_end()
            ended = world.run(world.task(backfill=backfill))
            self.note(ended, where)
            if ended.how == "done":
                break
        else:
            self.report.wrong(self.name, where, [f"no run succeeds: {ended.why}"])
        world.calm()
        if busy:
            world.let_leases_end()
            self.note(world.run(world.task(backfill=False)), where)
        self.report.compared(self.name, where, judged(world.truth(), world.database_url))
