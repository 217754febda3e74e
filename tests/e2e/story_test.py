#!/usr/bin/env python3
"""What a user does with a hub, told with the real programs."""
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import harness
from harness import HubCase, alive, eventually

# Leaves processes behind in every way a command can: a child, one that ignores the polite signal,
# one in a session of its own, and an orphan of a double fork. Their ids go to $1.
STUBBORN = """
trap '' TERM HUP INT
sleep 600 & echo $! >> "$1"
sh -c 'trap "" TERM; echo $$ >> "$0"; while :; do sleep 1; done' "$1" &
setsid sh -c 'trap "" TERM; echo $$ >> "$0"; while :; do sleep 1; done' "$1" &
setsid sh -c '(sleep 601 & echo $! >> "$0")' "$1"
echo $$ >> "$1"
echo ready
while :; do sleep 1; done
"""


class Story(HubCase):
    # --- running commands ------------------------------------------------------------------

    def test_run_ends_with_the_status_of_its_command(self):
        for command, status in (("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)):
            with self.subTest(command=command):
                answer = self.hub.weir("run", "--", "sh", "-c", command)
                self.assertEqual(answer.status, status, answer)

    def test_run_keeps_output_and_errors_apart_and_every_byte(self):
        text = "".join(f"line {number}\n" for number in range(20000))
        file = self.write("text", text)
        answer = self.hub.weir("run", "--", "sh", "-c", f"cat {file}; echo oops >&2; printf end")
        self.assertEqual(answer.out, text + "end")
        self.assertEqual(answer.err, "oops\n")

    def test_run_passes_arguments_folder_and_environment_on(self):
        answer = self.hub.weir("run", "--", "printf", "[%s]", "two words", "it's", "$HOME", "",
                               env={"SPECIAL": "a b"})
        self.assertEqual(answer.out, "[two words][it's][$HOME][]")
        answer = self.hub.weir("run", "--", "sh", "-c", 'echo "$SPECIAL $PWD"', env={"SPECIAL": "a b"})
        self.assertEqual(answer.out, f"a b {os.path.realpath(self.folder)}\n")

    def test_a_command_that_does_not_exist_fails_and_says_so(self):
        answer = self.hub.weir("run", "--", "no-such-program-here")
        self.assertEqual(answer.status, 127, answer)
        self.assertIn("no-such-program-here", answer.err)

    def test_jobs_start_with_signals_as_a_shell_would_give_them(self):
        # The hub itself ignores SIGPIPE; a job that inherited that would break `yes | head`.
        masks = self.hub.weir("run", "--", "sh", "-c", "yes | head -1; grep -E 'Sig(Ign|Blk)' /proc/self/status")
        self.assertEqual(masks.err, "")
        self.assertEqual(re.findall(r"Sig(?:Ign|Blk):\t0*([0-9a-f]+)\n", masks.out), ["0", "0"], masks)

    def test_an_interrupt_cancels_what_run_started(self):
        pids = self.path("pids")
        script = self.write("stubborn.sh", STUBBORN)
        run = self.hub.begin("run", "--name", "interrupted", "--", "sh", script, pids)
        self.assertEqual(run.stdout.readline(), "ready\n")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=harness.PATIENCE)
        self.assertEqual(run.returncode, 130, err)
        self.assertEqual(self.hub.state("interrupted"), "cancelled")
        self.nobody_is_left(pids)

    def test_a_closed_pipe_ends_the_job_behind_it(self):
        line = subprocess.run(
            ["bash", "-c", f"{harness.WEIR} run --name yes -- yes | head -1"], env=self.hub.environment(),
            capture_output=True, text=True, timeout=harness.PATIENCE, cwd=self.folder)
        self.assertEqual((line.stdout, line.stderr), ("y\n", ""))
        self.hub.until("yes", "cancelled")

    # --- following and ending ----------------------------------------------------------------

    def test_logs_follow_a_job_while_it_writes(self):
        go = self.path("go")
        job = self.hub.submit(f"run: |\n  echo one\n  while [ ! -e {go} ]; do sleep 0.05; done\n  echo two\n")
        follower = self.hub.begin("logs", "-f", job)
        self.assertEqual(follower.stdout.readline(), "one\n")
        self.assertEqual(self.hub.state(job), "running")
        open(go, "w").close()
        self.assertEqual(follower.stdout.readline(), "two\n")
        follower.communicate(timeout=harness.PATIENCE)
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(self.hub.weir("logs", job).out, "one\ntwo\n")
        self.assertEqual(self.hub.weir("logs", "--rank", "3", job).status, 3)

    def nobody_is_left(self, pids):
        ids = [int(line) for line in self.read(pids).split()]
        self.assertEqual(len(ids), 5)
        self.assertEqual([pid for pid in ids if alive(pid)], [])

    def test_cancel_leaves_no_process_of_the_tree(self):
        pids = self.path("pids")
        script = self.write("stubborn.sh", STUBBORN)
        job = self.hub.submit(f"name: stubborn\nrun: sh {script} {pids}\ntime: {{limit: 10min}}\ngrace: 1s\n")
        eventually("the tree stands", lambda: len(self.read(pids).split()) == 5)
        self.assertEqual(self.hub.weir("cancel", job).status, 0)
        self.assertEqual(self.hub.weir("wait", job).status, 1)
        self.assertEqual(self.hub.state(job), "cancelled")
        self.nobody_is_left(pids)
        again = self.hub.weir("cancel", job)
        self.assertEqual((again.status, again.out), (0, f"{job} has already ended\n"))

    def test_a_time_limit_ends_the_whole_stubborn_tree(self):
        pids = self.path("pids")
        script = self.write("stubborn.sh", STUBBORN)
        job = self.hub.submit(f"run: sh {script} {pids}\ntime: {{limit: 2s}}\ngrace: 1s\n")
        self.assertEqual(self.hub.weir("wait", job).status, 1)
        self.assertEqual(self.hub.state(job), "time_limit")
        self.nobody_is_left(pids)
        self.assertEqual(self.hub.weir("run", "--time", "1s", "--", "sleep", "600").status, 124)

    def test_output_over_its_limit_is_cut_and_says_so(self):
        job = self.hub.submit("run: head -c 3000000 /dev/zero | tr '\\0' x\noutput_limit: 1MiB\n")
        self.assertEqual(self.hub.weir("wait", job).out, f"{job} succeeded\n")
        attempt = self.hub.job(job)["attempts"][-1]
        self.assertTrue(attempt["output_cut"])
        text = self.hub.weir("logs", job).out
        self.assertLess(len(text), 1_200_000)
        self.assertGreater(text.count("x"), 900_000)
        self.assertRegex(text[-400:], r"(cut|limit)")

    def test_wait_gives_up_when_told_to(self):
        job = self.hub.submit("run: sleep 600\n")
        self.assertEqual(self.hub.weir("wait", job, "--timeout", "200ms").status, 124)
        self.hub.weir("cancel", job)
        self.assertEqual(self.hub.weir("wait", job).status, 1)

    # --- what is recorded -------------------------------------------------------------------

    def test_memory_and_processor_time_are_recorded(self):
        code = "x = bytearray(120 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n" \
               "import time\nwhile time.process_time() < 0.3: pass\n"
        script = self.write("greedy.py", code)
        job = self.hub.submit(f"run: exec python3 {script}\ngang: {{memory: 1GiB}}\n")
        self.assertEqual(self.hub.weir("wait", job).status, 0)
        seen = self.hub.job(job)
        self.assertGreater(seen["max_rss_bytes"], 120 << 20)
        self.assertLess(seen["max_rss_bytes"], 1 << 30)
        self.assertGreaterEqual(seen["cpu_ms"], 300)
        self.assertEqual(seen["exit_code"], 0)
        self.assertLessEqual(seen["submitted_at_ms"], seen["started_at_ms"])
        self.assertLessEqual(seen["started_at_ms"], seen["ended_at_ms"])

    def test_each_rank_of_a_gang_knows_its_place(self):
        script = self.write("rank.sh", 'echo "$RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE '
                                       '$MASTER_ADDR $MASTER_PORT $WEIR_JOB_ID $WEIR_JOB_NAME '
                                       '$WEIR_REPLICA $WEIR_ATTEMPT $WEIR_NODE $WEIR_TENANT"\n')
        job = self.hub.submit(f"name: gang\ntenant: university/aero\nrun: sh {script}\n"
                              "gang: {replicas: 3, cpus: 1, within: node}\n")
        self.assertEqual(self.hub.weir("wait", job).status, 0)
        lines = [self.hub.weir("logs", "--rank", rank, job).out.split() for rank in range(3)]
        for rank, line in enumerate(lines):
            self.assertEqual(line[:4], [str(rank), "3", str(rank), "3"])
            self.assertEqual(line[6:10], [job, "gang", str(rank), "1"])
            self.assertEqual(line[11], "university/aero")
            self.assertEqual(line[10], self.hub.job(job)["nodes"][0])
        self.assertEqual(len({(line[4], line[5]) for line in lines}), 1)
        self.assertTrue(1024 <= int(lines[0][5]) <= 65535)
        labelled = self.hub.weir("logs", job).out.splitlines()
        self.assertEqual(sorted(line.split(": ")[0] for line in labelled), ["0", "1", "2"])

    def test_one_failing_rank_ends_the_gang(self):
        job = self.hub.submit('run: \'[ "$RANK" = 1 ] && exit 5; sleep 600\'\n'
                              "gang: {replicas: 2}\ntime: {limit: 10min}\ngrace: 1s\n")
        self.assertEqual(self.hub.weir("wait", job).status, 1)
        seen = self.hub.job(job)
        self.assertEqual((seen["state"], seen["exit_code"]), ("failed", 5))

    # --- order --------------------------------------------------------------------------------

    def test_a_job_waits_for_what_it_depends_on(self):
        go, order = self.path("go"), self.path("order")
        first = self.hub.submit(f"name: mesh\nrun: 'while [ ! -e {go} ]; do sleep 0.05; done; echo mesh >> {order}'\n")
        then = self.hub.submit(f"name: solve\nrun: echo solve >> {order}\nafter: [mesh]\n")
        self.hub.until(first, "running")
        self.assertEqual(self.hub.state(then), "held")
        self.assertIn("mesh", self.hub.weir("explain", then).out + first)
        open(go, "w").close()
        self.assertEqual(self.hub.weir("wait", first, then).status, 0)
        self.assertEqual(self.read(order), "mesh\nsolve\n")

    def test_a_job_whose_dependency_failed_never_starts_and_says_why(self):
        touched = self.path("touched")
        bad = self.hub.submit("run: exit 3\n")
        after = self.hub.submit(f"run: touch {touched}\nafter: [{bad}]\n")
        cleanup = self.hub.submit(f"run: 'true'\nafter_failure: [{bad}]\n")
        self.assertEqual(self.hub.weir("wait", bad, after).status, 1)
        self.assertEqual(self.hub.weir("wait", cleanup).status, 0)
        seen = self.hub.job(after)
        self.assertEqual((seen["state"], seen["started_at_ms"]), ("cancelled", None))
        self.assertTrue(seen["reason"])
        self.assertFalse(os.path.exists(touched))

    def test_an_array_runs_every_index_once_and_keeps_its_throttle(self):
        effects = self.path("effects")
        job = self.hub.submit(f"run: 'echo + $WEIR_ARRAY_INDEX >> {effects}; sleep 0.15; echo - >> {effects}'\n"
                              "array: 0-9%3\ngang: {cpus: 0.5}\n")
        self.assertEqual(self.hub.weir("wait", job).out, f"{job} succeeded (10 jobs)\n")
        lines = self.read(effects).split("\n")[:-1]
        self.assertEqual(sorted(line for line in lines if line[0] == "+"), [f"+ {n}" for n in range(10)])
        running = most = 0
        for line in lines:
            running += 1 if line[0] == "+" else -1
            most = max(most, running)
        # Two of eight CPUs are idle all the time: only the throttle holds the rest back.
        self.assertTrue(2 <= most <= 3, lines)
        self.assertIn(f"{job}_7 ", self.hub.weir("ps", "--all", "--members").out)
        self.assertEqual([member["id"] for member in self.hub.jobs(job)], [f"{job}_{n}" for n in range(10)])
        self.assertEqual(self.hub.weir("show", f"{job}_7", "--json").json["jobs"][0]["array_index"], 7)

    def test_the_end_of_a_large_array_is_told_in_one_line(self):
        text = "name: large\nrun: exit $((WEIR_ARRAY_INDEX % 100 == 7))\narray: 0-299\ngang: {cpus: 0.2}\n"
        done = self.hub.weir("submit", "-", "--wait", input=text)
        job = done.out.strip()
        self.assertEqual(done.status, 1, done)
        for member in (7, 107, 207):
            self.assertIn(f"job {job}_{member} (large) failed: exit status 1\n", done.err)
        waited = self.hub.weir("wait", "large")
        self.assertEqual((waited.status, waited.out),
                         (1, f"{job} failed (3 failed, 297 succeeded; first {job}_7)\n"))
        self.assertEqual(len(self.hub.weir("wait", job, "--json").json["jobs"]), 300)
        followed = self.hub.begin("logs", "-f", job)
        self.assertEqual(followed.communicate(timeout=harness.PATIENCE)[0], "")
        self.assertEqual(followed.returncode, 0)

    def test_explain_says_what_a_blocked_job_waits_for(self):
        whole = self.hub.submit("name: whole\nrun: sleep 600\ngang: {cpus: 8}\ntime: {limit: 10min}\n")
        self.hub.until(whole, "running")
        behind = self.hub.submit("name: behind\nrun: 'true'\ngang: {cpus: 4}\ntime: {limit: 10min}\n")
        self.assertEqual(self.hub.state(behind), "pending")
        answer = self.hub.weir("explain", behind, "--json").json
        self.assertEqual(answer["state"], "pending")
        self.assertRegex(answer["sentence"], r"\d")
        now = time.time() * 1000
        # When the other ends, and the slack of a promise: an hour and a quarter of its limit.
        self.assertTrue(now < answer["starts_at_ms"] < now + 600_000 + 3_600_000 + 250_000, answer)
        self.assertIn("pending", self.hub.weir("explain", behind).out)
        self.assertIn("behind", self.hub.weir("ps").out)
        self.hub.weir("cancel", whole)
        self.assertEqual(self.hub.weir("wait", behind).status, 0)

    # --- submitting ----------------------------------------------------------------------------

    def test_a_key_submits_once(self):
        effects = self.path("effects")
        text = f"run: echo once >> {effects}\n"
        first = self.hub.submit(text, "--key", "nightly")
        again = self.hub.weir("submit", "-", "--key", "nightly", input=text)
        self.assertEqual((again.status, again.out), (0, first + "\n"))
        self.assertIn("before", again.err)
        other = self.hub.weir("submit", "-", "--key", "nightly", input=text + "# another\nname: other\n")
        self.assertEqual(other.status, 4, other)
        self.assertIn("nightly", other.err)
        self.assertEqual(self.hub.weir("wait", first).status, 0)
        self.assertEqual(self.read(effects), "once\n")

    def test_a_batch_of_files_is_one_submission(self):
        effects = self.path("effects")
        a = self.write("a.yaml", f"name: batch-a\nrun: echo a >> {effects}\n")
        b = self.write("b.yaml", f"name: batch-b\nrun: echo b >> {effects}\nafter: [batch-a]\n")
        answer = self.hub.weir("submit", a, b, "--wait")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(len(answer.out.split()), 2)
        self.assertEqual(self.read(effects), "a\nb\n")
        bad = self.write("bad.yaml", "name: bad\nrunn: x\n")
        refused = self.hub.weir("submit", a, bad)
        self.assertEqual((refused.status, refused.out), (2, ""))
        self.assertEqual(self.read(effects), "a\nb\n")

    def test_a_batch_script_runs_unchanged(self):
        script = self.write("job.sbatch", "#!/bin/bash\n#SBATCH -J batch-script\n#SBATCH -c 2\n#SBATCH -t 5\n"
                                          "echo \"$SLURM_JOB_ID $SLURM_JOB_NAME $SLURM_CPUS_PER_TASK $1 $2\"\n")
        answer = self.hub.weir("submit", script, "--wait", "--", "--steps", "100")
        self.assertEqual(answer.status, 0, answer)
        job = answer.out.strip()
        self.assertEqual(self.hub.weir("logs", job).out, f"{job} batch-script 2 --steps 100\n")

    def test_wrong_input_is_one_clear_error_and_changes_nothing(self):
        before = self.hub.weir("ps", "--all", "--ids").out
        huge = self.path("huge.yaml")
        with open(huge, "wb") as file:
            file.truncate(100 << 20)
        bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10 if n else ['x'] * 10)}]\n" for n in range(9))
        cases = [
            # what is wrong, the job file, status, what the error must name
            ("an unknown key", "run: x\ngnag: {cpus: 2}\n", 2, ["gnag", "gang", ":2:"]),
            ("an unknown key inside", "run: x\ngang: {cpu: 2}\n", 2, ["cpu", "cpus", ":2:"]),
            ("a bare number for memory", "run: x\ngang: {memory: 128}\n", 2, ["memory", "128", "GiB"]),
            ("a wrong unit", "run: x\ngang: {memory: 3 parsecs}\n", 2, ["memory", "parsecs"]),
            ("a bare time", "run: x\ntime: {limit: 90}\n", 2, ["limit", "90"]),
            ("a negative count", "run: x\ngang: {replicas: -2}\n", 2, ["replicas", "-2"]),
            ("no command", "name: idle\n", 2, ["run"]),
            ("a key twice", "run: x\nrun: y\n", 2, ["run", "2"]),
            ("a truncated file", "run: x\ngang: {cpus: 2, mem", 2, []),
            ("broken YAML", "run: [x\n", 2, []),
            ("not text", b"run: \xff\xfe\n", 2, []),
            ("an empty file", "", 2, ["empty"]),
            ("an alias bomb", bomb + "run: x\n", 2, []),
            ("what can never fit", "run: x\ngang: {cpus: 500}\n", 2, ["500", "8"]),
            ("a chip that is not here", "run: x\ngang: {chips: 1}\nchips: {any_of: [h200]}\n", 2, ["h200"]),
            ("an unknown dependency", "run: x\nafter: [no-such-job-here]\n", None, ["no-such-job-here"]),
            ("a dataset that nobody has", "run: x\ndata: {in: [{dataset: era5}]}\n", None, ["era5"]),
            ("an array the wrong way round", "run: x\narray: 9-0\n", 2, ["array", "9-0"]),
        ]
        for what, text, status, names in cases:
            with self.subTest(what=what):
                answer = self.hub.weir("submit", self.write("case.yaml", text))
                if status is None:
                    self.assertIn(answer.status, (2, 3), answer)
                else:
                    self.assertEqual(answer.status, status, answer)
                self.assertEqual(answer.out, "")
                self.assertEqual(len(answer.err.splitlines()), 1, answer)
                for name in names:
                    self.assertIn(name, answer.err)
        script = self.write("case.sbatch", "#!/bin/sh\necho $1\n")
        for words, status, names in [
            (["submit", huge], 2, ["huge.yaml", "100MiB"]),
            (["submit", "/no/such/file.yaml"], 3, ["/no/such/file.yaml"]),
            (["submit", self.folder], 2, ["folder"]),
            (["submit", script, "--steps", "9"], 2, ["--steps", "behind --"]),
            (["submit", script, "in.nml"], 3, ["in.nml", f"weir submit {script} -- in.nml"]),
            (["ps", "--", "x"], 2, ["ps", "--"]),
            (["wait"], 2, ["JOB is missing"]),
            (["run", "--cpus"], 2, ["--cpus needs a value"]),
            (["run", "--cpus", "1", "--cpus", "2", "--", "true"], 2, ["--cpus", "only once"]),
            (["completion"], 2, ["bash|zsh"]),
            (["submit", "--key"], 2, ["--key"]),
            (["run", "--memory", "12", "--", "true"], 2, ["weir: --memory: ", "12", "GiB"]),
            (["run", "--cpus", "many", "--", "true"], 2, ["weir: --cpus: ", "many"]),
            (["run", "--cpus", "-1", "--", "true"], 2, ["cpus", "-1"]),
            (["show", "999999"], 3, ["999999"]),
            (["cancel", "999999"], 3, ["999999"]),
            (["logs", "nobody"], 3, ["nobody"]),
            (["explain", "nobody"], 3, ["nobody"]),
            (["ps", "--state", "runing"], 2, ["runing", "running"]),
            (["sumbit", "x"], 2, ["sumbit", "submit"]),
            (["submit", "--kee", "x"], 2, ["--kee", "--key"]),
            (["replay", self.folder], 3, ["weir.db"]),
        ]:
            with self.subTest(words=words):
                answer = self.hub.weir(*words)
                self.assertEqual((answer.status, answer.out), (status, ""), answer)
                self.assertEqual(len(answer.err.splitlines()), 1, answer)
                for name in names:
                    self.assertIn(name, answer.err)
        self.assertEqual(self.hub.weir("ps", "--all", "--ids").out, before)

    def test_wrong_requests_are_refused_by_the_api_itself(self):
        before = self.hub.weir("ps", "--all", "--ids").out
        def refused(body, status):
            got, answer = self.hub.request("POST", "/v1/jobs", body)
            self.assertEqual(got, status, answer)
            self.assertTrue(json.loads(answer)["error"]["message"])
        refused(b"{", 400)
        refused(b"[]", 400)
        refused(b'{"jobs":"x"}', 400)
        refused(json.dumps({"jobs": [{"format": "yaml", "text": "run: x", "source": "x"}],
                            "user": "u", "workdir": "not/absolute"}), 400)
        # A body over the limit: the hub may answer and close before everything was sent.
        try:
            got, _ = self.hub.request("POST", "/v1/jobs", b" " * (20 << 20))
            self.assertEqual(got, 413)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertEqual(self.hub.request("GET", "/v1/health")[0], 200)
        self.assertEqual(self.hub.weir("ps", "--all", "--ids").out, before)

    # --- looking --------------------------------------------------------------------------------

    def test_every_table_has_a_twin_in_json(self):
        job = self.hub.submit("name: twin\nrun: echo hello\n")
        self.hub.weir("wait", job)
        for words in (["ps", "-a"], ["show", job], ["explain", job], ["fleet"], ["doctor"], ["version"],
                      ["schema"], ["help"], ["power"], ["wait", job], ["cancel", job]):
            with self.subTest(words=words):
                plain = self.hub.weir(*words)
                self.assertEqual(plain.status, 0, plain)
                self.assertTrue(plain.out)
                self.assertNotIn("\x1b", plain.out)
                self.hub.weir(*words, "--json").json
        self.assertIn("twin", self.hub.weir("ps", "-a", "--name", "twin").out)
        pool = self.hub.weir("fleet", "--json").json["pools"][0]
        self.assertEqual((pool["name"], pool["cpus_total"], pool["nodes_up"]), ("box", 8, 1))

    def test_help_explains_every_command_with_an_example(self):
        table = self.hub.weir("help", "--json").json
        def walk(command, path):
            for child in command["commands"]:
                here = [*path, child["name"]]
                text = self.hub.weir(*here, "--help")
                self.assertEqual(text.status, 0, here)
                self.assertIn("Example:\n", text.out)
                self.assertIn("Exit status:", text.out)
                self.assertEqual(text.out, self.hub.weir("help", *here).out)
                walk(child, here)
        walk(table, [])
        overview = self.hub.weir().out
        self.assertLess(len(overview.splitlines()), 50)
        for command in table["commands"]:
            self.assertIn("weir " + command["name"], overview)

    def test_the_reference_page_is_what_help_says(self):
        with open(os.path.join(harness.SOURCE, "docs", "reference", "cli.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), self.hub.weir("help", "--markdown").out,
                             "weir help --markdown > docs/reference/cli.md brings it up to date")

    def test_tables_fit_the_terminal_and_are_coloured_only_there(self):
        job = self.hub.submit(f"name: {'long-name-' * 8}\ntenant: a/{'b' * 60}\nrun: exit 3\n")
        self.hub.weir("wait", job)
        def on_terminal(columns, **more):
            program = f"stty cols {columns}; exec {harness.WEIR} ps --all"
            here, there = pty.openpty()
            environment = {**self.hub.environment(), "TERM": "xterm", **more}
            process = subprocess.Popen(["sh", "-c", program], stdin=there, stdout=there, stderr=there,
                                       env={k: v for k, v in environment.items() if v is not None})
            os.close(there)
            text = b""
            # A pseudo-terminal ends with an error when its last writer is gone.
            with contextlib.suppress(OSError):
                while piece := os.read(here, 65536):
                    text += piece
            os.close(here)
            self.assertEqual(process.wait(), 0)
            return text.decode().replace("\r\n", "\n")
        for columns in (40, 50, 80, 132):
            plain = on_terminal(columns)
            self.assertNotIn("\x1b", plain)
            self.assertEqual([line for line in plain.splitlines() if len(line) > columns], [])
            coloured = on_terminal(columns, NO_COLOR=None)
            self.assertIn("\x1b[31mfailed\x1b[0m", coloured)
            self.assertEqual(re.sub(r"\x1b\[\d*m", "", coloured).split(), plain.split())

    def test_completion_offers_commands_options_and_jobs(self):
        job = self.hub.submit("name: completed\nrun: 'true'\n")
        self.hub.weir("wait", job)
        script = self.path("weir.bash")
        with open(script, "w", encoding="utf-8") as file:
            file.write(self.hub.weir("completion", "bash").out)
        subprocess.run(["bash", "-n", script], check=True)
        def complete(*words):
            program = (f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                       '_weir 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"')
            done = subprocess.run(["bash", "-c", program, "bash", harness.WEIR, *words], cwd=self.folder,
                                  env=self.hub.environment(), capture_output=True, text=True, check=True)
            return done.stdout.split()
        self.assertEqual(complete("sub"), ["submit"])
        self.assertEqual(complete("up", "--policy", ""), ["weir", "easy", "conservative", "fcfs"])
        self.assertEqual(complete("trace", "gen"), ["generate"])
        self.assertIn("--follow", complete("logs", "--fo"))
        self.assertIn(job, complete("show", ""))
        self.assertIn("check", complete("schema", ""))
        self.assertEqual(complete("up", "--data", "da"), ["data"])
        zsh = self.hub.weir("completion", "zsh").out
        self.assertTrue(zsh.startswith("#compdef weir\n"))
        if subprocess.run(["which", "zsh"], capture_output=True).returncode == 0:
            subprocess.run(["zsh", "-n"], input=zsh, text=True, check=True)

    def test_commands_without_a_hub_say_how_to_start_one(self):
        nowhere = {"WEIR_HUB": f"http://127.0.0.1:{harness.free_port()}"}
        for words in (["ps"], ["show", "1"], ["fleet"], ["cancel", "1"], ["run", "--", "true"]):
            with self.subTest(words=words):
                answer = self.hub.weir(*words, env=nowhere)
                self.assertEqual((answer.status, answer.out), (5, ""), answer)
                self.assertEqual(len(answer.err.splitlines()), 1, answer)
                self.assertIn("weir up", answer.err)
        doctor = self.hub.weir("doctor", env=nowhere)
        self.assertEqual(doctor.status, 0, doctor)
        self.assertIn("hub", doctor.out)

    def test_schema_checks_files_without_a_hub(self):
        nowhere = {"WEIR_HUB": f"http://127.0.0.1:{harness.free_port()}"}
        good = self.write("good.yaml", "run: x\ngang: {cpus: 2}\n")
        bad = self.write("bad.yaml", "run: x\ngang: {cpuz: 2}\n")
        fleet = self.write("fleet.yaml", harness.FLEET)
        answer = self.hub.weir("schema", "check", good, fleet, env=nowhere)
        self.assertEqual(answer.status, 0, answer)
        answer = self.hub.weir("schema", "check", good, bad, env=nowhere)
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("cpuz", answer.err)
        self.assertIn("properties", self.hub.weir("schema", "job", env=nowhere).json)

    def test_many_clients_at_once_get_what_is_theirs(self):
        answers = {}
        def client(number):
            answers[number] = self.hub.weir("run", "--cpus", "0.5", "--", "echo", f"mine {number}")
        threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, answer in answers.items():
            self.assertEqual((answer.status, answer.out), (0, f"mine {number}\n"), answer)

    def test_replay_gives_the_digest_of_the_running_hub(self):
        self.hub.weir("wait", self.hub.submit("run: 'true'\n"))
        def same():
            status = json.loads(self.hub.request("GET", "/v1/status")[1])["digest"]
            answer = self.hub.weir("replay", self.hub.data, "--json")
            self.assertEqual(answer.status, 0, answer)
            self.assertTrue(answer.json["equal"])
            return answer.json["digest"] == status
        # A decision may fall between the two questions.
        eventually("hub and replay agree", same)
        self.assertIn("the same", self.hub.weir("replay", self.hub.data).out)


if __name__ == "__main__":
    harness.main()
