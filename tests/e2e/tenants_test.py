#!/usr/bin/env python3
"""Organisations, told with the real programs: who may submit, who waits, and another file."""
import os

import harness
from harness import HubCase

FLEET = """
sites:
  - name: local
    executor: {kind: local}
    price: {a100: 3600 CNY/chip-hour}
    pools:
      - {name: box, chip: a100, nodes: 1, chips_per_node: 8, cpus: 16, memory: 16GiB}
"""

TENANTS = """
tenants:
  - name: bigco
    quota: {a100: 2}
    tenants:
      - {name: search, quota: {a100: 2}, weight: 2}
      - {name: ads, borrow: {a100: 1}}
  - {name: uni, quota: {a100: 4}}
"""


def job(name, tenant, chips, seconds=300):
    return (f"name: {name}\ntenant: {tenant}\nrun: sleep {seconds}\ngang: {{chips: {chips}}}\n"
            "time: {limit: 10min}\n")


class Tenants(HubCase):
    fleet = FLEET

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.without = list(cls.hub.options)

    def setUp(self):
        super().setUp()
        self.begin_with(TENANTS)

    def tearDown(self):
        running = self.hub.weir("ps", "--ids").out.split()
        if running:
            self.hub.weir("cancel", *running)
            self.hub.weir("wait", *running)

    def begin_with(self, tenants):
        """The hub again, with this tenants file or none."""
        self.hub.stop()
        self.hub.options = list(self.without)
        if tenants:
            self.hub.options += ["--tenants", self.write("tenants.yaml", tenants)]
        self.hub.start()

    def use_of(self, path):
        all_of_them = self.hub.weir("tenants", "--json").json["tenants"]
        return next(each for each in all_of_them if each["tenant"] == path)["resources"][0]

    def refusal(self, *words, **more):
        answer = self.hub.weir("submit", *words, **more)
        self.assertNotEqual(answer.status, 0, answer)
        return answer.err

    def test_who_belongs_to_nobody_or_may_never_have_so_much_is_refused(self):
        self.assertIn('tenant: "uno" belongs to no organisation; did you mean uni?; there are: bigco, '
                      "bigco/search, bigco/ads, uni", self.refusal("-", input=job("x", "uno", 1)))
        self.assertIn("tenant, by default the user's login", self.refusal("-", input="run: 'true'\n"))
        self.assertIn("bigco/ads may have 1 a100 at most",
                      self.refusal("-", input=job("x", "bigco/ads", 2)))
        script = self.write("job.sbatch", "#!/bin/sh\n#SBATCH -A uni/lena\n#SBATCH -t 1\n#SBATCH --array=1-2\ntrue\n")
        answer = self.hub.weir("submit", script)
        self.assertEqual(answer.status, 0, answer)
        array = answer.out.strip()
        self.assertEqual(self.hub.weir("wait", array).status, 0)
        self.assertEqual({each["organisation"] for each in self.hub.jobs(array)}, {"uni"})
        self.assertIn("uni/lena, of uni", self.hub.weir("show", array + "_1").out)
        script = self.write("other.sbatch", "#!/bin/sh\n#SBATCH -A nobody\ntrue\n")
        self.assertIn('"nobody" belongs to no organisation', self.refusal(script))

    def test_what_is_idle_is_lent_and_who_may_not_have_more_waits_with_numbers(self):
        first = self.hub.submit(job("first", "bigco/ads", 1))
        waits = self.hub.submit(job("waits", "bigco/ads", 1))
        large = self.hub.submit(job("large", "bigco/search", 5))
        self.hub.until(large, "running")
        explained = self.hub.weir("explain", waits)
        self.assertIn("bigco/ads uses 1 a100 of the 0 a100 it owns", explained.out)
        self.assertEqual(self.hub.weir("explain", waits, "--json").json["cause"], "over_quota")
        self.assertIn("its organisation may not have so much now", self.hub.weir("ps").out)
        self.assertEqual(self.use_of("bigco"), {
            "resource": "a100", "unit": "chips", "owns": 4, "uses": 6, "borrows": 2, "lends": 0, "may_have": 2})
        self.assertEqual(self.use_of("uni")["lends"], 2)
        table = self.hub.weir("tenants").out
        self.assertRegex(table, r"bigco/search +2 .* 1\+0 +a100 +2 +5 +3 +0 ")
        # A hub that was killed knows all of it again.
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.use_of("uni")["lends"], 2)
        self.assertEqual(self.hub.state(waits), "pending")
        self.hub.weir("cancel", first)
        self.hub.until(waits, "running")

    def test_another_file_stops_nobody_and_a_wrong_one_changes_nothing(self):
        runs = self.hub.submit(job("runs", "uni", 4))
        gone = self.hub.submit(job("gone", "bigco/search", 4))
        queued = self.hub.submit(job("queued", "bigco/search", 4))
        self.hub.until(gone, "running")
        self.begin_with("tenants: [{name: uni, quota: {a100: 1}}]")
        self.assertEqual(self.hub.state(runs), "running")
        self.assertEqual(self.hub.state(gone), "running")
        self.assertIn("its organisation is gone", self.hub.job(queued)["reason"])
        self.assertEqual(self.use_of("uni")["uses"], 4)
        self.assertEqual(self.use_of("")["uses"], 8)

        self.hub.stop()
        wrong = self.write("wrong.yaml", "tenants:\n  - {name: uni, quotas: {a100: 1}}\n")
        answer = self.hub.weir("up", "--data", self.hub.data, *self.without, "--tenants", wrong)
        self.assertEqual(answer.status, 2, answer)
        self.assertRegex(answer.err, r"^weir: up: --tenants: .*wrong.yaml:2:\d+: .*write quota")
        self.hub.start()
        self.assertEqual(self.use_of("uni")["owns"], 1)
        self.begin_with(None)
        self.assertEqual(self.hub.weir("tenants", "--json").json["tenants"], [])
        self.assertIn("nobody is limited", self.hub.weir("tenants").err)
        self.assertEqual(self.hub.state(gone), "running")

    def test_a_loan_is_offered_accepted_recalled_and_returned_across_a_restart(self):
        offer = ["loan", "offer", "spring", "--from", "uni", "--to", "bigco/ads", "--chips", "a100=3",
                 "--ends", "+30d", "--notice", "2h", "--price", "5 CNY/chip-hour"]
        self.assertIn("may have 1 a100 at most", self.refusal("-", input=job("x", "bigco/ads", 3)))
        self.assertIn("no loans", self.hub.weir("loan").err)
        wrong = self.hub.weir(*[word.replace("a100=3", "a100=5") for word in offer])
        self.assertNotEqual(wrong.status, 0, wrong)
        self.assertIn("uni owns 4 a100 itself and would have lent 5 a100", wrong.err)
        self.assertIn("a100 is named twice", self.hub.weir(*offer, "--chips", "a100=2").err)
        self.assertIn("loan spring: 3 a100 from uni to bigco/ads, offered", self.hub.weir(*offer).out)
        self.assertIn("active until", self.hub.weir("loan", "accept", "spring").out)
        guest = self.hub.submit(job("guest", "bigco/ads", 3))
        self.hub.until(guest, "running")
        self.assertEqual((self.use_of("uni")["owns"], self.use_of("bigco/ads")["owns"]), (1, 3))
        self.hub.kill()
        self.hub.start()
        self.assertIn("recalling: back at", self.hub.weir("loan", "recall", "spring").out)
        late = self.hub.submit(job("late", "bigco/ads", 2))
        explained = self.hub.weir("explain", late, "--json").json
        self.assertIn(explained["cause"], ("on_loan", "over_quota"))
        loan = self.hub.weir("loan", "--json").json["loans"][0]
        self.assertEqual((loan["state"], loan["notice_ms"]), ("recalling", 7_200_000))
        self.assertEqual(loan["deadline_at_ms"] - loan["since_at_ms"], 7_200_000)
        self.assertEqual(self.hub.state(guest), "running")
        self.assertIn("returned", self.hub.weir("loan", "return", "spring").out)
        self.assertEqual((self.use_of("uni")["owns"], self.use_of("bigco/ads")["owns"]), (4, 0))
        self.assertRegex(self.hub.weir("loan").out, r"spring +uni +bigco/ads +3 a100 +returned")
        self.assertIn('there is no loan "winter"', self.hub.weir("loan", "recall", "winter").err)

    def test_what_runs_on_a_loan_is_paid_to_its_lender_and_who_breaks_it_pays_the_penalty(self):
        self.begin_with(TENANTS + "  - {name: guild, borrow: {a100: 0}}\n")
        offer = ["loan", "offer", "autumn", "--from", "uni", "--to", "guild", "--chips", "a100=3",
                 "--ends", "+30d", "--price", "1800 CNY/chip-hour", "--penalty", "100 CNY"]
        self.assertEqual(self.hub.weir(*offer).status, 0)
        self.assertEqual(self.hub.weir("loan", "accept", "autumn").status, 0)
        tenants = self.hub.weir("tenants")
        self.assertIn("uni has lent autumn", tenants.out)
        self.assertIn("guild has on loan autumn", tenants.out)
        guest = self.hub.submit(job("guest", "guild", 3, 1))
        self.assertEqual(self.hub.weir("wait", guest).status, 0)

        def row_of(path):
            row, = (each for each in self.hub.weir("statement", path, "--json").json["rows"]
                    if each["what"].startswith("loan autumn "))
            return row
        borrower, lender = row_of("guild"), row_of("uni")
        self.assertEqual(borrower["what"], "loan autumn from uni")
        self.assertIn("loan autumn to guild", self.hub.weir("statement", "uni").out)
        # Three chips for a bit more than a second, at half a CNY for each and a second.
        self.assertGreaterEqual(borrower["paid_micros"], 1_500_000)
        self.assertEqual(borrower["paid_micros"] * 2, borrower["chip_ms_milli"])
        self.assertEqual(lender["received_micros"], borrower["paid_micros"])

        self.assertIn("--by is missing", self.hub.weir("loan", "break", "autumn").err)
        broken = self.hub.weir("loan", "break", "autumn", "--by", "lender")
        self.assertIn("defaulted: its lender took it back without notice", broken.out)
        self.assertRegex(self.hub.weir("loan").out, r"autumn +uni +guild +3 a100 +defaulted")
        self.assertIn("autumn: its lender took it back", self.hub.weir("loan").out)
        rows = self.hub.weir("statement", "uni", "--json").json["rows"]
        self.assertTrue(any(row["what"] == "penalty of loan autumn" for row in rows), rows)
        self.assertNotIn("autumn", self.hub.weir("tenants").out)
        self.assertEqual(self.hub.weir("statement", "--json").json["out_of_balance_micros"], 0)

    def test_who_borrows_pays_a_budget_is_kept_and_a_statement_says_for_what(self):
        self.begin_with(TENANTS + """
  - {name: lab, quota: {a100: 2}}
  - name: shop
    budget: {amount: 2000 CNY, period: month}
vouchers:
  - {tenant: shop, amount: 1000 CNY, valid: 2026-01-01..2126-01-01, share: 50%}
""")
        refused = self.hub.weir("submit", "-", input=job("large", "shop/desk", 4))
        self.assertEqual(refused.status, 6, refused)
        self.assertRegex(refused.err, "the job costs up to 2400 CNY, and of the budget of shop there is 2000 "
                                      "CNY left until 20")
        paid = self.hub.submit(job("paid", "shop/desk", 2, 1))
        free = self.hub.submit(job("free", "lab", 2, 0))
        for each in (paid, free):
            self.assertEqual(self.hub.weir("wait", each).status, 0)
        statement = self.hub.weir("statement", "shop", "--json").json
        used, voucher = sorted(statement["rows"], key=lambda row: row["what"])
        self.assertEqual((used["what"], voucher["what"]), ("borrowed", "voucher 1"))
        # Two chips for a bit more than a second: at 1 CNY for each and a second.
        self.assertGreaterEqual(used["cost_micros"], 2_000_000)
        self.assertEqual(used["cost_micros"], used["paid_micros"] + voucher["covered_micros"])
        self.assertEqual(used["cost_micros"], used["chip_ms_milli"])
        self.assertEqual(self.hub.weir("statement", "lab", "--json").json["total"]["cost_micros"], 0)
        # The ledger follows from the journal.
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.hub.weir("statement", "shop", "--json").json, statement)
        self.assertRegex(self.hub.weir("statement", "shop").out, r"Statement of shop for 20\d\d-\d\d, in CNY")
        self.assertEqual(len(self.hub.weir("statement", "shop", "--csv").out.splitlines()), 3)
        page = self.path("shop.html")
        self.assertEqual(self.hub.weir("statement", "shop", "--html", page).status, 0)
        self.assertIn("voucher 1", self.read(page))
        self.assertEqual(self.hub.weir("statement", "--month", "2020-01", "--json").json["rows"], [])
        self.assertIn("is no month such as 2026-11", self.hub.weir("statement", "--month", "May").err)
        self.assertIn("did you mean shop?", self.hub.weir("statement", "shp").err)

    def test_a_replay_decides_the_same_with_organisations(self):
        for number in range(6):
            self.hub.submit(job(f"j{number}", ("bigco/search", "uni")[number % 2], 3, 0))
        self.begin_with(TENANTS.replace("a100: 4", "a100: 3"))
        for each in self.hub.weir("ps", "--ids").out.split():
            self.hub.weir("wait", each)
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)
        self.assertTrue(answer.json["equal"])

    def test_a_log_is_replayed_under_a_tenants_file(self):
        log = self.write("log.csv", "job_id,user,group,submit_s,start_s,end_s,duration_s,nodes,devices,state\n"
                         "1,a,uni/lab,0,,,100,1,4,\n2,b,bigco,0,,,100,1,6,\n3,c,elsewhere,0,,,100,1,1,\n")
        fleet = self.write("fleet.yaml", FLEET)
        tenants = self.write("tenants.yaml", TENANTS)
        answer = self.hub.weir("simulate", log, "--fleet", fleet, "--tenants", tenants, "--json", "-q")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(answer.json["tenants"], tenants)
        self.assertEqual(answer.json["jobs"], 2)
        self.assertIn("1 job left out: of a group that is no organisation", str(answer.json["notes"]))
        loans = self.write("loans.yaml", TENANTS.replace("a100", "A100") + """
loans:
  - {from: uni, to: bigco, chips: {A100: 2}, starts: 1970-01-01, ends: 1970-01-08, price: 5 CNY/chip-hour}
""")
        events = self.path("events.log")
        answer = self.hub.weir("simulate", log, "--fleet", fleet, "--tenants", loans, "--log", events, "-q")
        self.assertEqual(answer.status, 0, answer)
        self.assertIn('"is":"loan"', self.read(events))
        answer = self.hub.weir("check", events)
        self.assertEqual(answer.status, 0, answer)
        self.assertRegex(answer.out, "(?m)^.*loan .*")
        answer = self.hub.weir("simulate", log, "--fleet", fleet, "--tenants", os.path.join(self.folder, "none"))
        self.assertEqual(answer.status, 3, answer)
        self.assertIn("or trace for the quotas that come with the log", answer.err)
        for option in ("--report", "--log", "--schedule", "--waterfall"):
            for read in (log, fleet, tenants):
                before = self.read(read)
                answer = self.hub.weir("simulate", log, "--fleet", fleet, "--tenants", tenants, option, read, "-q")
                self.assertEqual(answer.status, 2, answer)
                self.assertIn(f"{option}: {read} is what is read; name another file", answer.err)
                self.assertEqual(self.read(read), before)


if __name__ == "__main__":
    harness.main()
