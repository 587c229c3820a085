"""Breaks the code on purpose, one way at a time, and demands that the tests which guard that promise fail; without a mutant they pass.

usage: mutants_test.py FOLDER-OF-THE-MUTANT-BUILD'S-PROGRAMS [--real] [MUTANT…]

--real: the rows of the table of failures instead, with real processes, each under a mutant of its own; some minutes.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 120  # Of one program; one that hangs is caught too, but says less.
REAL_TIMEOUT_S = 240
SIMULATION = "simulation_test:Simulation/Seeds.*"
SEEDS = "1..120"

# Mutant: the tests that must fail, each "program:filter".
MUTANTS = {
    "ack_before_write": [SIMULATION, "sequencer_test:SequencerTest.AcknowledgesOnlyWhatIsAppended"],
    "no_sync": [SIMULATION],
    "ignore_gaps": [SIMULATION, "sequencer_test:SequencerTest.TellsOfAGapOnceAndTakesWhatClosesIt"],
    "no_head_beat": [SIMULATION, "sequencer_test:RingsTest.RingsWhenItHasBeenSilentForABeat", "bus_process_test:On/Bus.Row10_BeatsInSilence/*mdb"],
    "no_session_check": [SIMULATION, "sequencer_test:SequencerTest.FencesTheOlderOfTwoSessions"],
    "publish_before_ack": [SIMULATION, "sequencer_test:RingsTest.RingsBehindTheAcknowledgements"],
    "no_dedup": [SIMULATION, "sequencer_test:SequencerTest.Row02_AcknowledgesADuplicateAgainAndAppendsItOnce"],
    "non_atomic_snapshot": ["snapshot_test:SnapshotTest.OneThatCannotBeWrittenLeavesTheOneBefore"],
    "own_answers_not_from_log": [SIMULATION],
    "unsettled_snapshot": [SIMULATION],
    "past_is_due": ["simulation_test:ReplicaTest.WhatIsActedUponIsNotAnsweredFromThePast"],
    "poison_never_skipped": [SIMULATION],
    "no_resend": [SIMULATION, "bus_process_test:BusLinkTest.AfterASilenceSaysHelloAndSendsWhatIsNotDurable"],
    "forgotten_wakes": [SIMULATION, "bus_process_test:On/Bus.WakesWhoAsksEvenAfterItWasKilled/*mdb"],
    "tick_without_taker": [SIMULATION],
    "lost_tick": [SIMULATION, "sequencer_test:SequencerTest.TicksOnceWhenATimeHasCome"],
    "ignore_credit": ["sequencer_test:LinkTest.SendsNoMoreThanItsCredit"],
    "skip_crc": ["sequencer_test:SequencerTest.RefusesWhatDoesNotHoldTogether"],
    "no_retraction": [SIMULATION, "metrics_test:*"],
    "older_version_wins": [SIMULATION, "metrics_test:*"],
    "no_repeat_limit": [SIMULATION],
    "everysec": ["bus_process_test:Replicas/BusOnRedis.Row08_ASettingThatTurnsWrongStopsTheAcknowledgements/0"],
    "no_disk_limit": ["sequencer_test:SequencerTest.AFullDiskRefusesAllButAnswers"],
    "take_all": ["sequencer_test:SequencerTest.RefusesWhenTheQueueIsFullAndLeavesNoHole"],
    "no_turns": ["sequencer_test:SequencerTest.Row21_ProducersTakeTurns"],
    "time_steps_back": ["sequencer_test:SequencerTest.TimeInAPartitionNeverStepsBack"],
    "trust_snapshots": ["snapshot_test:SnapshotTest.OneThatIsCutOffOrFlippedIsPassedOver"],
    "give_up": [SIMULATION],
    "append_again": ["bus_process_test:Replicas/BusOnRedis.Row06_AStoppedRedisRepeatsNothing/0"],
    "cut_what_was_acknowledged": ["conformance_test:JournalRedis.Row04_WhatItAcknowledgedItselfIsNeverCutOff"],
}

# The same for tests with real processes, each "folder/file:class".
REAL = {
    "no_sync": ["chaos/disk:Row04_PowerCutLosesNothingAcknowledged"],
    "ignore_write_errors": ["chaos/disk:Row05_AWriteThatFailsEndsTheBusAndLosesNothing"],
    "skip_crc": ["chaos/disk:Row25_AFlippedBitIsNeverReadAsAFact"],
    "ack_before_write": ["chaos/bus:Row03_ABusKilledComesBackWithAllItAcknowledged"],
    "no_lock": ["chaos/bus:Row15_TwoBusesNeverShareAJournal"],
    "no_disk_limit": ["chaos/services:Row07_AFullDiskRefusesAndRecoversAlone"],
    "no_lag": ["chaos/services:Row09_ASlowServiceSlowsNobodyElse"],
    "poison_never_skipped": ["chaos/services:Row11_AFactThatKillsIsPutAside"],
    "time_steps_back": ["chaos/services:Row12_ClocksThatLieChangeNothing"],
    "trust_snapshots": ["chaos/services:Row24_ADamagedSnapshotIsPassedOver"],
    "give_up": ["chaos/delivery:Row16_ReceiversThatAreDownOrLie"],
    "id_of_attempt": ["chaos/delivery:Row17_KilledBetweenTheAnswerAndItsRecord"],
    "watch_from_now": ["chaos/delivery:Row18_StreamsGoOnWhereTheGatewayDied"],
    "take_all": ["chaos/limits:Limit_Row20_ABurstIsRefusedAndLosesNothing"],
    "boundless_credit": ["chaos/limits:Limit_Row21_AHotStoreSlowsItself"],
    "no_turns": ["chaos/limits:Limit_Row21_AHotStoreSlowsItself"],
    "forget_deliveries": ["chaos/delivery:Row22_AReplayTellsNobodyAgain"],
    "rules_not_applied": ["end_to_end/config:Row23_ARuleHoldsFromItsOffsetOn"],
    "accept_the_last": ["chaos/limits:Limit_Row26_FewDescriptors"],
    "no_retraction": ["convergence_test:Golden*"],
    "no_wait": ["failover/redis_failover:Row14_CutsAndPromotionsLoseNothing"],
    "any_key": ["end_to_end/config:Row19_ATypoIsRefused"],
}


def run(folder, mutant, test):
    """Whether the test passed, and what it said."""
    program, pattern = test.split(":", 1)
    if "/" in program:
        return run_real(folder, mutant, program, pattern)
    environment = {name: value for name, value in os.environ.items() if name not in ("SEED", "SEEDS", "XUNDIAN_MUTANT")}
    environment["SEEDS"] = SEEDS
    if mutant:
        environment["XUNDIAN_MUTANT"] = mutant
    command = [str(folder / program), f"--gtest_filter={pattern}", "--gtest_fail_fast", "--gtest_brief=1"]
    began = time.monotonic()
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TIMEOUT_S)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = (expired.stdout or b"").decode(errors="replace") + "\nit hung", 1
    if code == 0 and not re.search(r"\[  PASSED  \] [1-9]", output):
        raise SystemExit(f"no test {test}: a filter that finds nothing proves nothing")
    return code == 0, output, time.monotonic() - began


def run_real(folder, mutant, program, name):
    environment = dict(os.environ, XUNDIAN_BIN=str(folder),
                       CHAOS_SHIM=str(folder.parent / "tests" / "chaos" / "libchaos_power_shim.so"))
    if mutant:
        environment["XUNDIAN_MUTANT"] = mutant
    began = time.monotonic()
    try:
        done = subprocess.run([sys.executable, ROOT / "tests" / f"{program}_test.py", name], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=REAL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False, "it hung", time.monotonic() - began
    return done.returncode == 0, done.stdout, time.monotonic() - began


def why(output):
    """The line that says most of why a test failed."""
    lines = [line.strip() for line in output.splitlines()]
    for mark in ("the world does not", "AssertionError:", "Failed: ", ".cpp:"):
        for number, line in enumerate(lines):
            if mark in line:
                told = line if mark != ".cpp:" else " ".join(lines[number + 1:number + 3])
                return (told or line)[:110]
    return (lines or ["nothing"])[-1][:110]


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    real = "--real" in sys.argv
    table = REAL if real else MUTANTS
    chosen = [name for name in sys.argv[2:] if name != "--real"] or list(table)

    named = set()
    for path in [*ROOT.glob("common/*.cpp"), *ROOT.glob("services/*/*.cpp")]:
        named |= set(re.findall(r'mutant\("(\w+)"\)', path.read_text()))
    tables = set(MUTANTS) | set(REAL)
    wrong = [f"{name} is in the code and in no table" for name in named - tables]
    wrong += [f"{name} is in a table and not in the code" for name in tables - named]
    release = ROOT / "build/release/bin/xundian-bus"
    if release.exists() and b"XUNDIAN_MUTANT" in release.read_bytes():
        wrong.append("the release knows the variable that chooses a mutant")

    with concurrent.futures.ThreadPoolExecutor(max_workers=1 if real else 2) as pool:
        whole = {test: pool.submit(run, folder, "", test) for test in sorted({test for name in chosen for test in table[name]})}
        for test, future in whole.items():
            passed, output, seconds = future.result()
            print(f"{'passes' if passed else 'FAILS':<8}{seconds:6.1f} s  without a mutant          {test}", flush=True)
            if not passed:
                wrong.append(f"without a mutant {test} fails:\n{output[-2000:]}")
        broken = {(name, test): pool.submit(run, folder, name, test) for name in chosen for test in table[name]}
        for (name, test), future in broken.items():
            passed, output, seconds = future.result()
            print(f"{'SURVIVES' if passed else 'caught':<8}{seconds:6.1f} s  {name:<25} {test}{'' if passed else ': ' + why(output)}", flush=True)
            if passed:
                wrong.append(f"{name} survives {test}")
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
