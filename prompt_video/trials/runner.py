"""All trials of an experiment, several at a time or one after another, each in the journal once it is tested."""

import logging
from collections.abc import Iterator, Sequence

from prompt_video.trials.journal import Journal, TrialResult
from prompt_video.trials.one_trial import TrialTraining
from prompt_video.trials.progress import LossCurve, TrialsProgress
from prompt_video.trials.stacked_trials import run_stack, stack_in_training, stacks

log = logging.getLogger(__name__)


def run_trials(
    training: TrialTraining, count: int = 1, *, resume: bool = False, curve: LossCurve | None = None, bar: bool = False
) -> list[TrialResult]:
    """Train and test every trial of a protocol.

    Args:
        training: of the trials; finished ones are in ``trials.jsonl`` of its folder.
        count: trials that are trained at the same time; more than one where `why_not_stacked` has nothing against it.
        resume: leave out the trials that the folder holds as finished, and go on with those in training.
        curve: takes the losses.
        bar: show a progress bar of trials that are trained together, on a terminal.

    Returns:
        The trials in their order.
    """
    journal = Journal(training.folder, training.data)
    done = journal.resume() if resume else journal.start()
    wanted = [number for number in range(len(training.data.trials)) if number not in done]
    curve = curve or LossCurve()
    with TrialsProgress(len(training.data.trials), len(done), bar=bar and count > 1) as progress:
        if count > 1:
            new = _together(training, wanted, count, resume, curve, progress)
        else:
            new = _one_by_one(training, wanted, resume, curve)
        for result in new:
            if result.trial not in done:
                journal.add(result)
                done[result.trial] = result
                progress.finished()
    return [done[number] for number in sorted(done)]


def _one_by_one(
    training: TrialTraining, wanted: Sequence[int], resume: bool, curve: LossCurve
) -> Iterator[TrialResult]:
    trials = training.data.trials
    for number in wanted:
        log.info("trial %d of %d: %s", number + 1, len(trials), trials[number].name)
        yield training.run(number, resume=resume, watching=[curve])


def _together(
    training: TrialTraining, wanted: Sequence[int], count: int, resume: bool, curve: LossCurve, progress: TrialsProgress
) -> Iterator[TrialResult]:
    log.info("training up to %d of %d trials at a time", min(count, len(wanted)), len(training.data.trials))
    begun = stack_in_training(training) if resume else []
    first = [] if set(begun).isdisjoint(wanted) else [begun]
    for numbers in [*first, *stacks(training, sorted({*wanted}.difference(*first)), count)]:
        yield from run_stack(training, numbers, resume=numbers is begun, watching=[curve, progress])
        progress.say()
