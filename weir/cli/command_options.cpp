#include "weir/cli/command_options.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "weir/cli/option_values.hpp"

namespace weir::cli {
namespace {

constexpr const char* exit_statuses =
    "Exit status: 0 done, 1 failed, 2 wrong usage or invalid input, 3 not found, 4 conflict, "
    "5 no hub, 6 denied";

class Declaration {
public:
    Declaration(CLI::App& app, Given& given) : app_(app), given_(given) {
        start();
        submitting();
        looking();
        acting();
        operating();
        planning();
        helping();
    }
    Actions take_actions() { return std::move(actions_); }

private:
    CLI::App* command(CLI::App& parent,
                      const std::string& name,
                      const std::string& group,
                      const std::string& summary,
                      const std::string& examples,
                      std::function<int()> action,
                      const std::string& statuses = "") {
        CLI::App* made = parent.add_subcommand(name, summary);
        made->group(group);
        made->footer("Example:\n" + examples + "\n\n" + exit_statuses + statuses + ".");
        if (action) actions_[made] = std::move(action);
        return made;
    }

    static void common(CLI::App* app, Common& into) {
        app->add_option("--hub", into.hub, "the hub to ask [$WEIR_HUB or http://127.0.0.1:8421]")
            ->type_name("URL");
        json(app, into.json);
    }

    static void json(CLI::App* app, bool& into) { app->add_flag("--json", into, "answer in JSON"); }

    static void catalogs(CLI::App* app, std::vector<std::string>& into) {
        app->add_option("--catalog", into, "a file that says more of chips; repeatable")
            ->type_name("FILE")
            ->allow_extra_args(false);
    }

    // --- the commands ----------------------------------------------------------------------

    void start() {
        auto& o = given_.up;
        auto* c = command(app_,
                          "up",
                          "Start",
                          "start a hub on this machine",
                          "  weir up --data /var/lib/weir --listen 127.0.0.1:8421",
                          [&given = given_] { return up(given.up); });
        c->add_option("--data", o.data, "folder of the journal, logs and outputs [.weir]")
            ->type_name("DIR");
        c->add_option(
             "--listen", o.listen, "address to serve; port 0 takes a free one [127.0.0.1:8421]")
            ->type_name("HOST:PORT");
        c->add_option("--policy",
                      o.policy,
                      "who starts, waits and stops: weir, easy, conservative or fcfs, with keys "
                      "changed as in "
                      "\"weir reservations=16\" [weir]")
            ->type_name("weir|easy|conservative|fcfs");
        c->add_option(
             "--fleet", o.fleet, "offer what this fleet file says instead of all that is found")
            ->type_name("FILE");
        c->add_option(
             "--tenants",
             o.tenants,
             "organisations and their rights, as this tenants file says; without it nobody "
             "is limited")
            ->type_name("FILE");
        c->add_flag("--oversubscribe",
                    o.oversubscribe,
                    "let the fleet file offer more than this machine has");
        catalogs(c, o.catalogs);
        c->add_option("--host", o.hosts, "one more name that browsers may know it by; repeatable")
            ->type_name("NAME")
            ->allow_extra_args(false);
        c->add_option("--campaign", o.campaign, "submit every *.yaml of a folder and follow them")
            ->type_name("DIR");
        c->add_flag("--once", o.once, "end after the campaign; status 0 only if all succeeded");
        json(c, o.common.json);

        auto* d = command(app_,
                          "doctor",
                          "Start",
                          "check this machine and the hub",
                          "  weir doctor",
                          [&given = given_] { return doctor(given.doctor); });
        common(d, given_.doctor);
    }

    void submitting() {
        const char* group = "Submit";
        auto* c = command(app_,
                          "submit",
                          group,
                          "submit job files or #SBATCH scripts",
                          "  weir submit train.yaml post.yaml\n"
                          "  weir submit --key nightly-2026-11-24 job.sbatch -- --steps 100",
                          [&given = given_] {
                              given.submit.args.insert(given.submit.args.end(),
                                                       given.behind_dashes.begin(),
                                                       given.behind_dashes.end());
                              return submit(given.submit);
                          });
        c->add_option("files",
                      given_.submit.files,
                      "job files; - is standard input; words after -- go to scripts")
            ->type_name("FILE")
            ->required();
        c->add_option(
             "--key", given_.submit.key, "the same key submits once, however often it is tried")
            ->type_name("KEY");
        c->add_option(
             "--export",
             given_.submit.environment,
             "environment to take along: all, basic, none, or names [all for scripts, else basic]")
            ->type_name("WHAT");
        c->add_flag(
            "--wait", given_.submit.wait, "wait for the end; status 0 only if all succeeded");
        common(c, given_.submit.common);

        auto& r = given_.run;
        c = command(
            app_,
            "run",
            group,
            "run a command as a job and follow it",
            "  weir run --cpus 4 --time 10min -- ./solve input.nml",
            {},
            ".\nOtherwise that of the command: its exit code, 128 + signal, 124 time limit, 130 "
            "cancelled");
        c->prefix_command();
        c->add_option("--name", r.name, "name of the job [that of the program]")->type_name("NAME");
        c->add_option("--tenant", r.tenant, "path in the organisation tree")->type_name("PATH");
        one_of(c->add_option("--priority", r.priority, "class in the queue [normal]"),
               {"low", "normal", "high", "urgent"});
        c->add_option("--replicas", r.replicas, "workers that start together [1]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--cpus", r.cpus, "CPUs of each worker [1]")->type_name("N");
        c->add_option("--chips", r.chips, "accelerators of each worker; 0.1 to 0.9 share one [0]")
            ->type_name("N");
        c->add_option("--any-of", r.any_of, "kinds of chip that may serve, in order of preference")
            ->type_name("CHIP")
            ->delimiter(',')
            ->allow_extra_args(false);
        c->add_option("--memory", r.memory, "memory of each worker, such as 8GiB")
            ->type_name("SIZE");
        one_of(c->add_option("--within", r.within, "how close the workers must be [site]"),
               {"node", "rack", "pod", "pool", "site"});
        c->add_option("--time", r.time, "time limit, such as 30min [24h]")->type_name("DURATION");
        c->add_option("--after", r.after, "jobs that must succeed first")
            ->type_name("JOB")
            ->delimiter(',')
            ->allow_extra_args(false);
        c->add_option("--key", r.key, "the same key submits once, however often it is tried")
            ->type_name("KEY");
        c->add_option("--export",
                      r.environment,
                      "environment to take along: all, basic, none, or names [all]")
            ->type_name("WHAT");
        c->add_flag("--detach", r.detach, "print the id and leave it running");
        common(c, r.common);

        c = command(app_,
                    "schema",
                    group,
                    "what each kind of file may say",
                    "  weir schema job > job.schema.json",
                    [&given = given_] { return schema(given.schema); });
        one_of(
            c->add_option(
                "language", given_.schema.language, "job, fleet, tenants, catalog or plan [job]"),
            {"job", "fleet", "tenants", "catalog", "plan"});
        c->add_flag(
            "--markdown", given_.schema.markdown, "as a page for people instead of a JSON Schema");
        json(c, given_.schema.common.json);
        auto* check = command(*c,
                              "check",
                              "",
                              "check files without submitting them",
                              "  weir schema check job.yaml",
                              [&given = given_] { return schema_check(given.check); });
        check->add_option("files", given_.check.files, "files to check; - is standard input")
            ->type_name("FILE")
            ->required();
        one_of(check->add_option("--as", given_.check.language, "what they are [by what they say]"),
               {"job", "fleet", "tenants", "catalog", "plan", "sbatch"});
        json(check, given_.check.common.json);
    }

    void looking() {
        const char* group = "Look";
        auto* c = command(app_,
                          "ps",
                          group,
                          "list jobs",
                          "  weir ps --all --tenant university",
                          [&given = given_] { return ps(given.ps); });
        c->add_flag("-a,--all", given_.ps.all, "also those that ended");
        c->add_option("--state", given_.ps.states, "only these states, such as running,failed")
            ->type_name("STATE")
            ->delimiter(',')
            ->allow_extra_args(false);
        c->add_option("--name", given_.ps.name, "only jobs of this name")->type_name("NAME");
        c->add_option("--tenant", given_.ps.tenant, "only jobs of this tenant")->type_name("PATH");
        c->add_option("--user", given_.ps.user, "only jobs of this user")->type_name("NAME");
        c->add_option("--limit", given_.ps.limit, "at most so many, the newest")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_flag("--members", given_.ps.members, "each member of an array on a line of its own");
        c->add_flag("-w,--watch", given_.ps.watch, "again every second until Ctrl-C");
        c->add_flag("--ids", given_.ps.ids, "only the ids, for scripts");
        common(c, given_.ps.common);

        c = command(
            app_, "show", group, "everything about one job", "  weir show 12", [&given = given_] {
                return show(given.show);
            });
        job(c, given_.show.job);
        common(c, given_.show.common);

        c = command(
            app_, "logs", group, "what a job wrote", "  weir logs -f train", [&given = given_] {
                return logs(given.logs);
            });
        job(c, given_.logs.job);
        c->add_flag("-f,--follow", given_.logs.follow, "go on until the job ends");
        auto* first = c->add_flag("--stdout", given_.logs.only_stdout, "only standard output");
        c->add_flag("--stderr", given_.logs.only_stderr, "only standard error, on standard output")
            ->excludes(first);
        c->add_option("--rank", given_.logs.rank, "only this rank [all]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("--attempt", given_.logs.attempt, "this execution [the last]")
            ->type_name("N")
            ->check(whole_number(0));
        common(c, given_.logs.common);

        c = command(app_,
                    "explain",
                    group,
                    "why a job waits, and until when",
                    "  weir explain 12",
                    [&given = given_] { return explain(given.explain); });
        job(c, given_.explain.job);
        common(c, given_.explain.common);

        c = command(app_,
                    "fleet",
                    group,
                    "what there is, and what is free",
                    "  weir fleet",
                    [&given = given_] { return fleet(given.fleet); });
        common(c, given_.fleet);

        c = command(app_,
                    "data",
                    group,
                    "datasets: where each lies, and what is on its way",
                    "  weir data",
                    [&given = given_] { return data(given.data); });
        common(c, given_.data);

        c = command(app_,
                    "tenants",
                    group,
                    "what organisations own, use, borrow and lend",
                    "  weir tenants",
                    [&given = given_] { return tenants(given.tenants); });
        common(c, given_.tenants);

        auto& l = given_.loan;
        c = command(app_,
                    "loan",
                    group,
                    "quota that organisations leave to each other",
                    "  weir loan\n"
                    "  weir loan offer spring --from bigco --to sme-park/startup --chips h20=16 "
                    "--ends +30d --notice 2h --price '5 CNY/chip-hour'\n"
                    "  weir loan accept spring\n  weir loan recall spring",
                    [&given = given_] { return loan(given.loan); });
        one_of(c->add_option("action",
                             l.action,
                             "list, offer, withdraw, accept, recall, return or break [list]"),
               {"list", "offer", "withdraw", "accept", "recall", "return", "break"});
        c->add_option("name", l.name, "what the loan is called")->type_name("NAME");
        c->add_option("--from", l.lender, "the lender; it lends of its own quota")
            ->type_name("PATH");
        c->add_option("--to", l.borrower, "the borrower")->type_name("PATH");
        c->add_option("--chips", l.chips, "how much of what; repeatable")
            ->type_name("CHIP=N")
            ->delimiter(',')
            ->allow_extra_args(false);
        c->add_option("--starts", l.starts, "a time, or +2h from now [now]")->type_name("TIME");
        c->add_option("--ends", l.ends, "a time, or +30d from now")->type_name("TIME");
        c->add_option("--notice", l.notice, "from a recall until it takes effect [0s]")
            ->type_name("DURATION");
        c->add_option("--price", l.price, "of a chip-hour, to the lender")->type_name("PRICE");
        c->add_option("--early-recall", l.early_recall, "what a recall costs the lender [0]")
            ->type_name("AMOUNT");
        c->add_option("--penalty", l.penalty, "for breaking the contract [0]")->type_name("AMOUNT");
        one_of(c->add_option("--by", l.by, "who breaks it and pays the penalty"),
               {"lender", "borrower"});
        common(c, l.common);

        c = command(app_,
                    "statement",
                    group,
                    "what an organisation used and paid in a month",
                    "  weir statement bigco/search --month 2026-11 --csv",
                    [&given = given_] { return statement(given.statement); });
        c->add_option("organisation",
                      given_.statement.tenant,
                      "its path, such as bigco/search, with everybody below it [all of the centre]")
            ->type_name("PATH");
        c->add_option("--month", given_.statement.month, "of the calendar, in UTC [this one]")
            ->type_name("YYYY-MM");
        auto* csv = c->add_flag("--csv", given_.statement.csv, "as lines for a spreadsheet");
        c->add_option("--html", given_.statement.html, "write it as a page")
            ->type_name("FILE")
            ->excludes(csv);
        common(c, given_.statement.common);
    }

    void acting() {
        const char* group = "Act";
        auto* c = command(
            app_, "cancel", group, "cancel jobs", "  weir cancel 12 13_4 train", [&given = given_] {
                return cancel(given.cancel);
            });
        c->add_option("jobs", given_.cancel.jobs, "ids or names")->type_name("JOB")->required();
        common(c, given_.cancel.common);

        c = command(
            app_,
            "wait",
            group,
            "wait until jobs have ended",
            "  weir wait 12 13 --timeout 2h",
            [&given = given_] { return wait(given.wait); },
            ", 124 when the time ran out, 130 interrupted");
        c->add_option("jobs", given_.wait.jobs, "ids or names")->type_name("JOB")->required();
        c->add_option("--timeout", given_.wait.timeout, "give up after this long")
            ->type_name("DURATION");
        common(c, given_.wait.common);
    }

    void operating() {
        const char* group = "Operate";
        auto& r = given_.reserve;
        auto* c = command(app_,
                          "reserve",
                          group,
                          "set nodes apart for a time",
                          "  weir reserve night --pool box --nodes 4 --from +2h --for 8h --tenant "
                          "university\n"
                          "  weir reserve new-fans --node box-0,box-1 --from 2026-12-01T08:00:00Z "
                          "--for 4h --maintenance\n"
                          "  weir reserve --list",
                          [&given = given_] { return reserve(given.reserve); });
        c->add_option("name", r.name, "what it is called; jobs name it in `reservation`")
            ->type_name("NAME");
        c->add_option("--pool", r.pool, "pool of the nodes [the only one]")->type_name("POOL");
        auto* count = c->add_option("--nodes", r.nodes, "so many nodes of the pool")
                          ->type_name("N")
                          ->check(whole_number(1));
        c->add_option("--node", r.node_names, "these nodes, or lists such as n[1-4],b; repeatable")
            ->type_name("NODE")
            ->allow_extra_args(false)
            ->excludes(count);
        c->add_option("--from", r.from, "when it begins: a time, or +2h from now [now]")
            ->type_name("TIME");
        c->add_option("--for", r.duration, "how long")->type_name("DURATION");
        auto* tenant =
            c->add_option("--tenant", r.tenant, "only for jobs of this tenant and those below it")
                ->type_name("PATH");
        c->add_flag("--maintenance", r.maintenance, "for nobody's jobs")->excludes(tenant);
        auto* list = c->add_flag("--list", r.list, "show the reservations there are");
        c->add_flag("--delete",
                    r.remove,
                    "give it back: what runs in it runs on, what waits for it is cancelled")
            ->excludes(list);
        common(c, r.common);

        c = command(app_,
                    "drain",
                    group,
                    "let nothing more start on nodes",
                    "  weir drain box-3 --reason \"new fans\"",
                    [&given = given_] { return drain(given.drain); });
        c->add_option("nodes", given_.drain.nodes, "names of nodes, or lists such as n[1-4],b")
            ->type_name("NODE")
            ->required();
        c->add_option("--reason", given_.drain.reason, "for people")->type_name("TEXT");
        common(c, given_.drain.common);

        c = command(app_,
                    "restore",
                    group,
                    "take drained nodes into service again",
                    "  weir restore box-3",
                    [&given = given_] { return restore(given.restore); });
        c->add_option("nodes", given_.restore.nodes, "names of nodes, or lists such as n[1-4],b")
            ->type_name("NODE")
            ->required();
        common(c, given_.restore.common);

        c = command(app_,
                    "power",
                    group,
                    "what is drawn and may be, or set a budget of watts",
                    "  weir power\n  weir power box/rack/3 12kW\n  weir power box/rack/3 none",
                    [&given = given_] { return power(given.power); });
        c->add_option("domain",
                      given_.power.domain,
                      "SITE, POOL/rack/3 or POOL/pod/1; to look also POOL [all]")
            ->type_name("DOMAIN");
        c->add_option("watts",
                      given_.power.watts,
                      "its new budget, such as 15kW; none: what the fleet file says again [show]")
            ->each([&given = given_](const std::string&) { given.power.is_set = true; })
            ->type_name("WATTS");
        common(c, given_.power.common);
    }

    void planning() {
        const char* group = "Plan and prove";
        auto& s = given_.simulate;
        auto* c = command(app_,
                          "simulate",
                          group,
                          "replay a workload log through the same scheduler",
                          "  weir simulate month.swf.gz --report month.html\n"
                          "  weir simulate month.swf.gz --policy easy,weir --vary load=0.7,0.9,1.1",
                          [&given = given_] { return simulate(given.simulate); });
        c->add_option(
             "trace", s.trace, "a log in Standard Workload Format or GPU CSV, plain or .gz")
            ->type_name("TRACE")
            ->required();
        c->add_option("--fleet", s.fleet, "fleet file [the one that belongs to the log]")
            ->type_name("FILE");
        c->add_option("--policy",
                      s.policy,
                      "fcfs, easy, conservative, weir, with keys if wanted: \"weir "
                      "reservations=16\"; several, "
                      "with commas, are compared [weir]")
            ->type_name("POLICY,...");
        c->add_option("--vary",
                      s.vary,
                      "compare values of a key of the policy, or of rack_power, pod_power, "
                      "site_power, nodes, load, seed, fleet, tenants; repeatable: all combinations")
            ->type_name("KEY=A,B,...")
            ->allow_extra_args(false);
        c->add_option(
             "--scale", s.scale, "so many copies of the log on as many copies of the fleet [1]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--from", s.from, "leave out what was submitted before: 30d, or a time")
            ->type_name("TIME");
        c->add_option("--until", s.until, "leave out what was submitted after")->type_name("TIME");
        c->add_option("--variant", s.variant, "variant of the fleet that comes with the log")
            ->type_name("NAME");
        c->add_flag("--each-site",
                    s.each_site,
                    "every site a centre of its own: its pools, its share of all quotas, and the "
                    "jobs whose organisations own most of what they need there");
        c->add_flag("--apart", s.apart, "virtual clusters with nodes and queues of their own");
        c->add_option("--tenants",
                      s.tenants,
                      "organisations that lend and borrow: the quotas of the log (trace), or those "
                      "of a tenants file, to which its groups belong by their names")
            ->type_name("trace|FILE");
        c->add_option("--faults",
                      s.faults,
                      "nodes fail: none, reliability (as the fleet says), or as in a fault log "
                      "[none]")
            ->type_name("none|reliability|FILE");
        c->add_option("--seed", s.seed, "which failures are drawn [1]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("--retries", s.retries, "attempts of a job that may fail with a node [100]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_flag("--replace-nodes",
                    s.replace_nodes,
                    "a gang that lost a node goes on with another, if there is one");
        c->add_option(
             "--checkpoint",
             s.checkpoint,
             "jobs save their work: none, every so long, or as Young or Daly advise [none]")
            ->type_name("none|young|daly|DURATION");
        c->add_option("--checkpoint-cost", s.checkpoint_cost, "time of one checkpoint [60s]")
            ->type_name("DURATION");
        c->add_option("--restart-cost", s.restart_cost, "time of going on from one [60s]")
            ->type_name("DURATION");
        c->add_option("--prediction-error",
                      s.prediction_error,
                      "tell the scheduler run times with errors drawn from this seed")
            ->type_name("SEED")
            ->check(whole_number(0));
        c->add_option("--log", s.log, "write the event log that weir check judges; .gz compresses")
            ->type_name("FILE");
        c->add_option("--report", s.report, "write an HTML report")->type_name("FILE");
        c->add_option("--waterfall",
                      s.waterfall,
                      "write a CSV row for each site, pool, tenant and job: where its compute went")
            ->type_name("FILE");
        c->add_option("--schedule", s.schedule, "write a CSV row for each job; .gz compresses")
            ->type_name("FILE");
        c->add_flag("-q,--quiet", s.quiet, "no progress");
        json(c, s.json);

        auto& f = given_.offers;
        c = command(
            app_,
            "offers",
            group,
            "which pools serve a job, how fast, for how much, or why not",
            "  weir offers job.yaml --fleet fleet.yaml\n"
            "  weir offers job.yaml --fleet fleet.yaml --catalog measured.yaml --json",
            [&given = given_] { return offers(given.offers); },
            ".\nHere 1 means that no pool can serve it");
        c->add_option("job", f.job, "job file or #SBATCH script; - is standard input")
            ->type_name("FILE")
            ->required();
        c->add_option("--fleet", f.fleet, "fleet file")->type_name("FILE")->required();
        catalogs(c, f.catalogs);
        json(c, f.json);

        c = command(app_,
                    "chips",
                    group,
                    "what is known of chips, and how well",
                    "  weir chips\n  weir chips h200",
                    [&given = given_] { return chips(given.chips); });
        c->add_option(
             "name", given_.chips.name, "one of them, with the source of each number [all]")
            ->type_name("CHIP");
        catalogs(c, given_.chips.catalogs);
        json(c, given_.chips.json);

        training();
        c = command(app_,
                    "models",
                    group,
                    "what shapes of models are known",
                    "  weir models\n  weir models deepseek-v3",
                    [&given = given_] { return models(given.models); });
        c->add_option("name",
                      given_.models.name,
                      "one of them, or a config.json, with the source of its shape [all]")
            ->type_name("MODEL");
        json(c, given_.models.json);

        auto* trace = command(app_,
                              "trace",
                              group,
                              "make workload logs",
                              "  weir trace generate --jobs 5000 --output month.swf.gz",
                              {});
        auto& g = given_.generate;
        c = command(
            *trace,
            "generate",
            "",
            "write a synthetic log from a published workload model",
            "  weir trace generate --model lublin --jobs 10000 --load 0.8 --output month.swf.gz",
            [&given = given_] { return generate_trace(given.generate); });
        one_of(c->add_option("--model", g.model, "workload model [lublin]"),
               {"lublin", "gpu-mix", "converged"});
        c->add_option("--jobs", g.jobs, "number of jobs [10000]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--seed", g.seed, "the same seed gives the same log [1]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("--load", g.load, "offered work as a part of the capacity [0.7]")
            ->type_name("X");
        c->add_option("--fleet",
                      g.fleet,
                      "fleet file [--nodes equal nodes]; of converged: some jobs read the datasets "
                      "that lie there [none]")
            ->type_name("FILE");
        c->add_option(
             "--tenants", g.tenants, "of converged: whose jobs they are, and what each owns")
            ->type_name("FILE");
        c->add_option("--nodes", g.nodes, "nodes, without a fleet file [128]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--chips-per-node", g.chips_per_node, "chips of a node [1, gpu-mix 8]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("-o,--output", g.output, "file to write; .gz compresses [standard output]")
            ->type_name("FILE");
        json(c, g.json);

        c = command(app_,
                    "replay",
                    group,
                    "decide a hub's journal again and compare",
                    "  weir replay .weir",
                    [&given = given_] { return replay(given.replay); });
        c->add_option("data", given_.replay.data, "the hub's data folder [.weir]")
            ->type_name("DIR");
        json(c, given_.replay.common.json);

        c = command(
            app_,
            "check",
            group,
            "judge an event log by the rules, without the scheduler",
            "  weir check month.log.gz",
            [&given = given_] { return check_log(given.check_log); },
            ".\nHere 1 means that a rule was broken");
        c->add_option("log", given_.check_log.log, "an event log, plain or .gz")
            ->type_name("FILE")
            ->required();
        json(c, given_.check_log.json);

        auto* advise = command(app_,
                               "advise",
                               group,
                               "what would be better, in numbers",
                               "  weir advise checkpoint --nodes 128 --mtbf 5y/node --cost 90s",
                               {});
        auto& a = given_.advise;
        c = command(*advise,
                    "checkpoint",
                    "",
                    "how often a gang should save its work",
                    "  weir advise checkpoint --nodes 128 --mtbf 5y/node --cost 90s --every 3h",
                    [&given = given_] { return advise_checkpoint(given.advise); });
        c->add_option("--nodes", a.nodes, "nodes that it runs on")
            ->type_name("N")
            ->check(whole_number(1))
            ->required();
        c->add_option("--mtbf", a.mtbf, "mean time between failures of one node, such as 5y/node")
            ->type_name("DURATION/node");
        c->add_option("--fleet", a.fleet, "take it from the reliability in a fleet file")
            ->type_name("FILE");
        c->add_option("--pool", a.pool, "the pool of the fleet file [its only one]")
            ->type_name("NAME");
        c->add_option("--cost", a.cost, "how long a checkpoint takes")
            ->type_name("DURATION")
            ->required();
        c->add_option("--restart", a.restart, "from a failure until it works again [0s]")
            ->type_name("DURATION");
        c->add_option("--every", a.every, "compare with this interval")->type_name("DURATION");
        json(c, a.json);
    }

    void training() {
        auto& p = given_.plan;
        auto* c = command(
            app_,
            "plan",
            "Plan and prove",
            "how a model runs best on chips, how fast, and why",
            "  weir plan llama-3-8b --chips h100-sxm-80g=64 --sequence 8192 --global-batch 512\n"
            "  weir plan gpt3-175b --chips a100-sxm-80g=1024 --explain --report plan.html\n"
            "  weir plan deepseek-v3 --chips h800 --scale 256..4096 --tokens 15T\n"
            "  weir plan llama-3-8b --chips h100-sxm-80g=64 --emit torchtitan > train.toml\n"
            "  weir plan --check ours.yaml --explain\n"
            "  weir plan --read pretrain.sh --chips h100-sxm-80g\n"
            "  weir plan llama-3-8b --serve --chips h100-sxm-80g=8 --isl 1024 --osl 256 --slo "
            "ttft=1s,tpot=40ms",
            [&given = given_] { return plan(given.plan); },
            ".\nHere 1 means that nothing fits");
        c->add_option("model", p.model, "a name of `weir models`, or a Hugging Face config.json")
            ->type_name("MODEL");
        c->add_option("--chips",
                      p.chips,
                      "which and how many: a chip of the catalogue, or a pool of the fleet file; "
                      "several are planned each alone and all together")
            ->type_name("POOL=N")
            ->delimiter(',')
            ->allow_extra_args(false);
        c->add_option("--fleet", p.fleet, "fleet file whose pools --chips names")
            ->type_name("FILE");
        catalogs(c, p.catalogs);
        constexpr std::uint64_t many = 100'000'000;
        c->add_option("--sequence", p.sequence, "tokens of a sequence [4096]")
            ->type_name("N")
            ->check(whole_number(1, many));
        c->add_option("--global-batch", p.global_batch, "sequences of a step [4M tokens]")
            ->type_name("N")
            ->check(whole_number(1, many));
        c->add_option("--tokens", p.tokens, "tokens to train in all, such as 15T")->type_name("N");
        one_of(c->add_option("--precision", p.precision, "of the matrix products [bf16]"),
               {"bf16", "fp8", "fp16", "fp32"});
        one_of(c->add_option(
                   "--framework",
                   p.framework,
                   "whose kernels run [that of --emit, else megatron-lm, on Ascend mindspeed]"),
               {"megatron-lm", "deepspeed", "mindspeed", "torchtitan"});
        c->add_option("--top", p.top, "so many plans [5]")
            ->type_name("K")
            ->check(whole_number(1, 1000));
        one_of(c->add_option("--objective", p.objective, "what the best plan has least of [time]"),
               {"time", "cost", "energy", "goodput"});
        auto* risk = c->add_option("--risk",
                                   p.risk,
                                   "probability of running out of memory that a plan may have, up "
                                   "to 0.5 [0.1]")
                         ->type_name("X")
                         ->check(number(0.001, 0.5));
        c->add_option(
             "--margin", p.margin, "share of the memory that stays free, instead of a risk")
            ->type_name("X")
            ->check(number(0, 0.9))
            ->excludes(risk);
        c->add_option("--price", p.price, "what a chip costs [as the fleet file says]")
            ->type_name("AMOUNT/chip-hour");
        c->add_option("--mtbf",
                      p.mtbf,
                      "mean time between failures of a node, for goodput [as the fleet file says]")
            ->type_name("DURATION/node");
        c->add_flag("--explain",
                    p.explain,
                    "why the best one wins, what limits it, and what would help, each tried");
        auto* scale = c->add_option("--scale", p.scale, "the best plan for each number of chips")
                          ->type_name("LOW..HIGH");
        auto* check =
            c->add_option("--check", p.check, "predict what a plan file says; - is standard input")
                ->type_name("FILE");
        auto* read =
            c->add_option("--read",
                          p.read,
                          "predict an existing launch of Megatron-LM, DeepSpeed, MindSpeed "
                          "or torchtitan, and say what would make it faster; - is "
                          "standard input")
                ->type_name("FILE");
        auto* emit =
            c->add_option("--emit", p.emit, "print what starts the best plan in this framework");
        one_of(emit, {"megatron-lm", "deepspeed", "mindspeed", "torchtitan"});
        c->add_option("--report", p.report, "write an HTML report")->type_name("FILE");
        for (const char* name : {"--fleet",
                                 "--tokens",
                                 "--price",
                                 "--mtbf",
                                 "--scale",
                                 "--check",
                                 "--read",
                                 "--report"})
            c->get_option(name)->check(not_empty());
        // What one question does not ask for, nobody gives and believes that it counted.
        without_effect(c, scale, {"--check", "--read", "--emit", "--explain", "--top"});
        without_effect(c, emit, {"--read", "--explain", "--top", "--report"});
        without_effect(c,
                       check,
                       {"--chips",
                        "--fleet",
                        "--sequence",
                        "--global-batch",
                        "--tokens",
                        "--precision",
                        "--framework",
                        "--objective",
                        "--price",
                        "--mtbf",
                        "--read",
                        "--report",
                        "--top"});
        without_effect(c,
                       read,
                       {"--global-batch",
                        "--tokens",
                        "--precision",
                        "--framework",
                        "--objective",
                        "--report",
                        "--top"});
        serving(c, p);
        json(c, p.json);
    }

    // Options of the command that do nothing beside one of it.
    static void without_effect(CLI::App* app,
                               CLI::Option* beside,
                               const std::vector<std::string>& others) {
        for (const std::string& other : others)
            beside->excludes(app->get_option(other));
    }

    static void serving(CLI::App* c, PlanOptions& p) {
        auto* serve = c->add_flag("--serve", p.serve, "how it is best served instead of trained");
        for (const char* other :
             {"--check", "--read", "--emit", "--scale", "--report", "--explain"})
            serve->excludes(c->get_option(other));
        const CLI::Validator tokens = number(1, 1e7);
        c->add_option("--isl", p.isl, "tokens of a prompt, on average [1024]")
            ->type_name("N")
            ->check(tokens)
            ->needs(serve);
        c->add_option("--osl", p.osl, "tokens of an answer, on average [256]")
            ->type_name("N")
            ->check(tokens)
            ->needs(serve);
        c->add_option("--slo", p.slo, "promises: time to the first token, and of each further one")
            ->type_name("ttft=1s,tpot=40ms")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->needs(serve);
        c->add_option("--qps", p.qps, "requests a second: how many chips they need")
            ->type_name("X")
            ->check(number(0.001, 1e9))
            ->needs(serve);
        c->add_option("--cached-share",
                      p.cached_share,
                      "share of the prompts' tokens whose keys and values a prefix cache has [0]")
            ->type_name("X")
            ->check(number(0, 1))
            ->needs(serve);
        c->add_option("--engine",
                      p.engine,
                      "vllm, sglang, tensorrt-llm, lmdeploy or faster-transformer [vllm]")
            ->type_name("ENGINE")
            ->needs(serve);
        c->add_option("--weights", p.weights, "formats of weights that are allowed [bf16]")
            ->type_name("FORMAT,...")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->needs(serve);
        c->add_option("--cache", p.cache, "formats of keys and values that are allowed [bf16]")
            ->type_name("FORMAT,...")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->needs(serve);
    }

    void helping() {
        const char* group = "Help";
        auto* c = command(app_, "help", group, "explain a command", "  weir help submit", {});
        c->add_option("command", given_.help_words, "the command")->type_name("COMMAND");
        c->add_flag("--markdown", given_.help_markdown, "the whole reference as a page");
        json(c, given_.help_json);

        c = command(app_,
                    "completion",
                    group,
                    "completion for a shell",
                    "  source <(weir completion bash)",
                    {});
        one_of(c->add_option("shell", given_.shell, "bash or zsh")->required(), {"bash", "zsh"});
        json(c, given_.completion_json);

        c = command(app_,
                    "version",
                    group,
                    "print the version",
                    "  weir version --json",
                    [&given = given_] { return version_command(given.version); });
        json(c, given_.version.json);
    }

    static void job(CLI::App* app, std::string& into) {
        app->add_option("job", into, "id (12), member of an array (12_3), or name")
            ->type_name("JOB")
            ->required();
    }

    CLI::App& app_;
    Given& given_;
    Actions actions_;
};

}  // namespace

Actions declare_commands(CLI::App& app, Given& given) {
    app.name("weir");
    app.require_subcommand(0, 1);
    app.set_help_flag("-h,--help", "say what it does, with an example");
    app.add_flag("--version", given.show_version, "print the version");
    return Declaration(app, given).take_actions();
}

}  // namespace weir::cli
