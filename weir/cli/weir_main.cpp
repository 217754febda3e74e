// The main of `weir`: the table of commands and options, and nothing else.
//
// Each command declares its options into a struct of commands.hpp and names the function that does
// the work. Completion, the reference page and the overview are written from the same table.
#include <fmt/format.h>
#include <signal.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "weir/base/text_table.hpp"
#include "weir/cli/command_table.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/simulate.hpp"

namespace weir::cli {
namespace {

constexpr const char* exit_statuses =
    "Exit status: 0 done, 1 failed, 2 wrong usage or invalid input, 3 not found, 4 conflict,\n"
    "5 no hub, 6 denied";

class CommandLine {
public:
    CommandLine() {
        app_.name("weir");
        app_.require_subcommand(0, 1);
        app_.set_help_flag("-h,--help", "say what it does, with an example");
        app_.add_flag("--version", show_version_, "print the version");
        start();
        submitting();
        looking();
        acting();
        planning();
        helping();
    }

    int run(int argc, char** argv) {
        std::vector<std::string> words(argv + 1, argv + argc);
        // Behind a bare -- stands a command of the user's own, which is none of our options.
        for (std::size_t at = 0; at < words.size(); ++at) {
            if (words[at] != "--") continue;
            behind_dashes_.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
            words.resize(at);
            break;
        }
        if (!words.empty() && words[0][0] != '-' && child_of(app_, words[0]) == nullptr) {
            return unknown_command(words[0], &app_);
        }
        std::vector<std::string> reversed(words.rbegin(), words.rend());
        try {
            app_.parse(reversed);
        } catch (const CLI::CallForHelp&) {
            return app_.get_subcommands().empty() ? show_overview() : help(*deepest(), status_ok);
        } catch (const CLI::ParseError& problem) {
            return wrong_usage(problem);
        }
        if (show_version_) return version_command({});
        if (app_.get_subcommands().empty()) return show_overview();
        const CLI::App* chosen = deepest();
        const auto action = actions_.find(chosen);
        // A command that only holds others (`weir trace`) says which.
        return action == actions_.end() ? help(*chosen, status_usage) : action->second();
    }

private:
    // --- how commands are declared ---------------------------------------------------------

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

    // One of several words, with the nearest one offered for a mistyped one.
    static void one_of(CLI::Option* option, const std::vector<std::string>& words) {
        std::string type;
        for (const std::string& word : words)
            type += (type.empty() ? "" : "|") + word;
        option->type_name(type);
        option->check(CLI::Validator(
            [words, type](std::string& given) -> std::string {
                for (const std::string& word : words) {
                    if (word == given) return {};
                }
                const std::string near = nearest(given, words);
                return fmt::format("\"{}\" is none of {}{}",
                                   given,
                                   type,
                                   near.empty() ? "" : " (did you mean " + near + "?)");
            },
            ""));
    }

    static CLI::Validator whole_number(std::uint64_t least) {
        return CLI::Validator(
            [least](std::string& given) -> std::string {
                const bool digits = !given.empty() && given.size() <= 18 &&
                                    given.find_first_not_of("0123456789") == std::string::npos;
                if (digits && std::stoull(given) >= least) return {};
                return fmt::format("\"{}\" is no whole number from {} on", given, least);
            },
            "");
    }

    // --- the commands ----------------------------------------------------------------------

    void start() {
        auto& o = up_;
        auto* c = command(app_,
                          "up",
                          "Start",
                          "start a hub on this machine",
                          "  weir up --data /var/lib/weir --listen 127.0.0.1:8421",
                          [this] { return up(up_); });
        c->add_option("--data", o.data, "folder of the journal, logs and outputs [.weir]")
            ->type_name("DIR");
        c->add_option(
             "--listen", o.listen, "address to serve; port 0 takes a free one [127.0.0.1:8421]")
            ->type_name("HOST:PORT");
        one_of(c->add_option("--policy", o.policy, "order of the queue [easy]"), {"fcfs", "easy"});
        c->add_option(
             "--fleet", o.fleet, "offer what this fleet file says instead of all that is found")
            ->type_name("FILE");
        c->add_flag("--oversubscribe",
                    o.oversubscribe,
                    "let the fleet file offer more than this machine has");
        c->add_option("--host", o.hosts, "one more name that browsers may know it by; repeatable")
            ->type_name("NAME")
            ->expected(1);
        c->add_option("--campaign", o.campaign, "submit every *.yaml of a folder and follow them")
            ->type_name("DIR");
        c->add_flag("--once", o.once, "end after the campaign; status 0 only if all succeeded");
        json(c, o.common.json);

        auto* d = command(
            app_, "doctor", "Start", "check this machine and the hub", "  weir doctor", [this] {
                return doctor(doctor_);
            });
        common(d, doctor_);
    }

    void submitting() {
        const char* group = "Submit";
        auto* c = command(app_,
                          "submit",
                          group,
                          "submit job files or #SBATCH scripts",
                          "  weir submit train.yaml post.yaml\n"
                          "  weir submit --key nightly-2026-11-24 job.sbatch -- --steps 100",
                          [this] {
                              submit_.args.insert(
                                  submit_.args.end(), behind_dashes_.begin(), behind_dashes_.end());
                              return submit(submit_);
                          });
        c->add_option(
             "files", submit_.files, "job files; - is standard input; words after -- go to scripts")
            ->type_name("FILE")
            ->required();
        c->add_option("--key", submit_.key, "the same key submits once, however often it is tried")
            ->type_name("KEY");
        c->add_option(
             "--export",
             submit_.environment,
             "environment to take along: all, basic, none, or names [all for scripts, else basic]")
            ->type_name("WHAT");
        c->add_flag("--wait", submit_.wait, "wait for the end; status 0 only if all succeeded");
        common(c, submit_.common);

        auto& r = run_;
        c = command(
            app_,
            "run",
            group,
            "run a command as a job and follow it",
            "  weir run --cpus 4 --time 10min -- ./solve input.nml",
            [this] { return run_command(); },
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
            ->expected(1);
        c->add_option("--memory", r.memory, "memory of each worker, such as 8GiB")
            ->type_name("SIZE");
        one_of(c->add_option("--within", r.within, "how close the workers must be [site]"),
               {"node", "rack", "pod", "pool", "site"});
        c->add_option("--time", r.time, "time limit, such as 30min [24h]")->type_name("DURATION");
        c->add_option("--after", r.after, "jobs that must succeed first")
            ->type_name("JOB")
            ->delimiter(',')
            ->expected(1);
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
                    "what a job or fleet file may say",
                    "  weir schema job > job.schema.json",
                    [this] { return schema(schema_); });
        one_of(c->add_option("language", schema_.language, "job or fleet [job]"), {"job", "fleet"});
        c->add_flag(
            "--markdown", schema_.markdown, "as a page for people instead of a JSON Schema");
        json(c, schema_.common.json);
        auto* check = command(*c,
                              "check",
                              "",
                              "check files without submitting them",
                              "  weir schema check job.yaml",
                              [this] { return schema_check(check_); });
        check->add_option("files", check_.files, "files to check; - is standard input")
            ->type_name("FILE")
            ->required();
        one_of(check->add_option("--as", check_.language, "what they are [by what they say]"),
               {"job", "fleet", "sbatch"});
        json(check, check_.common.json);
    }

    void looking() {
        const char* group = "Look";
        auto* c =
            command(app_, "ps", group, "list jobs", "  weir ps --all --tenant university", [this] {
                return ps(ps_);
            });
        c->add_flag("-a,--all", ps_.all, "also those that ended");
        c->add_option("--state", ps_.states, "only these states, such as running,failed")
            ->type_name("STATE")
            ->delimiter(',')
            ->expected(1);
        c->add_option("--name", ps_.name, "only jobs of this name")->type_name("NAME");
        c->add_option("--tenant", ps_.tenant, "only jobs of this tenant")->type_name("PATH");
        c->add_option("--user", ps_.user, "only jobs of this user")->type_name("NAME");
        c->add_option("--limit", ps_.limit, "at most so many, the newest")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_flag("--members", ps_.members, "each member of an array on a line of its own");
        c->add_flag("-w,--watch", ps_.watch, "again every second until Ctrl-C");
        c->add_flag("--ids", ps_.ids, "only the ids, for scripts");
        common(c, ps_.common);

        c = command(app_, "show", group, "everything about one job", "  weir show 12", [this] {
            return show(show_);
        });
        job(c, show_.job);
        common(c, show_.common);

        c = command(app_, "logs", group, "what a job wrote", "  weir logs -f train", [this] {
            return logs(logs_);
        });
        job(c, logs_.job);
        c->add_flag("-f,--follow", logs_.follow, "go on until the job ends");
        auto* first = c->add_flag("--stdout", logs_.only_stdout, "only standard output");
        c->add_flag("--stderr", logs_.only_stderr, "only standard error, on standard output")
            ->excludes(first);
        c->add_option("--rank", logs_.rank, "only this rank [all]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("--attempt", logs_.attempt, "this execution [the last]")
            ->type_name("N")
            ->check(whole_number(0));
        common(c, logs_.common);

        c = command(
            app_, "explain", group, "why a job waits, and until when", "  weir explain 12", [this] {
                return explain(explain_);
            });
        job(c, explain_.job);
        common(c, explain_.common);

        c = command(
            app_, "fleet", group, "what there is, and what is free", "  weir fleet", [this] {
                return fleet(fleet_);
            });
        common(c, fleet_);
    }

    void acting() {
        const char* group = "Act";
        auto* c =
            command(app_, "cancel", group, "cancel jobs", "  weir cancel 12 13_4 train", [this] {
                return cancel(cancel_);
            });
        c->add_option("jobs", cancel_.jobs, "ids or names")->type_name("JOB")->required();
        common(c, cancel_.common);

        c = command(
            app_,
            "wait",
            group,
            "wait until jobs have ended",
            "  weir wait 12 13 --timeout 2h",
            [this] { return wait(wait_); },
            ",\n124 when the time ran out, 130 interrupted");
        c->add_option("jobs", wait_.jobs, "ids or names")->type_name("JOB")->required();
        c->add_option("--timeout", wait_.timeout, "give up after this long")->type_name("DURATION");
        common(c, wait_.common);
    }

    void planning() {
        const char* group = "Plan and prove";
        auto& s = simulate_;
        auto* c = command(app_,
                          "simulate",
                          group,
                          "replay a workload log through the same scheduler",
                          "  weir simulate month.swf.gz --policy easy --report month.html",
                          [this] { return simulate(simulate_); });
        c->add_option(
             "trace", s.trace, "a log in Standard Workload Format or GPU CSV, plain or .gz")
            ->type_name("TRACE")
            ->required();
        c->add_option("--fleet", s.fleet, "fleet file [the one that belongs to the log]")
            ->type_name("FILE");
        one_of(c->add_option("--policy", s.policy, "order of the queue [easy]"), {"fcfs", "easy"});
        c->add_option(
             "--scale", s.scale, "so many copies of the log on as many copies of the fleet [1]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--from", s.from, "leave out what was submitted before: 30d, or a time")
            ->type_name("TIME");
        c->add_option("--until", s.until, "leave out what was submitted after")->type_name("TIME");
        c->add_option("--variant", s.variant, "variant of the fleet that comes with the log")
            ->type_name("NAME");
        c->add_flag("--apart", s.apart, "virtual clusters with nodes and queues of their own");
        c->add_option("--report", s.report, "write an HTML report")->type_name("FILE");
        c->add_option("--schedule", s.schedule, "write a CSV row for each job; .gz compresses")
            ->type_name("FILE");
        c->add_flag("-q,--quiet", s.quiet, "no progress");
        json(c, s.json);

        auto* trace = command(app_,
                              "trace",
                              group,
                              "make workload logs",
                              "  weir trace generate --jobs 5000 --output month.swf.gz",
                              {});
        auto& g = generate_;
        c = command(
            *trace,
            "generate",
            "",
            "write a synthetic log from a published workload model",
            "  weir trace generate --model lublin --jobs 10000 --load 0.8 --output month.swf.gz",
            [this] { return generate_trace(generate_); });
        one_of(c->add_option("--model", g.model, "workload model [lublin]"), {"lublin", "gpu-mix"});
        c->add_option("--jobs", g.jobs, "number of jobs [10000]")
            ->type_name("N")
            ->check(whole_number(1));
        c->add_option("--seed", g.seed, "the same seed gives the same log [1]")
            ->type_name("N")
            ->check(whole_number(0));
        c->add_option("--load", g.load, "offered work as a part of the capacity [0.7]")
            ->type_name("X");
        c->add_option("--fleet", g.fleet, "fleet file [--nodes equal nodes]")->type_name("FILE");
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
                    [this] { return replay(replay_); });
        c->add_option("data", replay_.data, "the hub's data folder [.weir]")->type_name("DIR");
        json(c, replay_.common.json);
    }

    void helping() {
        const char* group = "Help";
        auto* c = command(app_, "help", group, "explain a command", "  weir help submit", [this] {
            return help_command();
        });
        c->add_option("command", help_words_, "the command")->type_name("COMMAND");
        c->add_flag("--markdown", help_markdown_, "the whole reference as a page");
        json(c, help_json_);

        c = command(app_,
                    "completion",
                    group,
                    "completion for a shell",
                    "  source <(weir completion bash)",
                    [this] { return completion(); });
        one_of(c->add_option("shell", shell_, "bash or zsh")->required(), {"bash", "zsh"});
        json(c, completion_json_);

        c = command(app_, "version", group, "print the version", "  weir version --json", [this] {
            return version_command(version_);
        });
        json(c, version_.json);
    }

    static void job(CLI::App* app, std::string& into) {
        app->add_option("job", into, "id (12), member of an array (12_3), or name")
            ->type_name("JOB")
            ->required();
    }

    // --- what needs the table itself ---------------------------------------------------------

    int run_command() {
        // Both spellings work: `weir run -- CMD ARG` and `weir run CMD ARG`.
        const CLI::App* app = app_.get_subcommand("run");
        run_.command = app->remaining();
        run_.command.insert(run_.command.end(), behind_dashes_.begin(), behind_dashes_.end());
        if (run_.command.empty()) {
            return report(
                {Code::invalid, "run: no command; write it behind --: weir run -- CMD ARG"});
        }
        if (run_.command.front()[0] == '-' && !run_.command.front().empty()) {
            return report({Code::invalid,
                           fmt::format("run: unknown option {}{}; the command begins behind --",
                                       run_.command.front(),
                                       near_option(*app, run_.command.front()))});
        }
        return cli::run(run_);
    }

    int show_overview() {
        out(overview(table()));
        return status_ok;
    }

    int help(const CLI::App& app, int status) const {
        out(help_text(described(app), path_of(app), terminal_width()));
        return status;
    }

    // "schema check"; "" for weir itself.
    std::string path_of(const CLI::App& app) const {
        if (&app == &app_) return "";
        const std::string above = app.get_parent() == nullptr ? "" : path_of(*app.get_parent());
        return above.empty() ? app.get_name() : above + " " + app.get_name();
    }

    int help_command() {
        if (help_markdown_) {
            out(markdown_reference(table()));
            return status_ok;
        }
        if (help_json_) {
            out_json(json_reference(table()));
            return status_ok;
        }
        const CLI::App* at = &app_;
        for (const std::string& word : help_words_) {
            const CLI::App* next = child_of(*at, word);
            if (next == nullptr) return unknown_command(word, at);
            at = next;
        }
        return at == &app_ ? show_overview() : help(*at, status_ok);
    }

    int completion() {
        out(completion_json_   ? json_reference(table()) + "\n"
            : shell_ == "bash" ? bash_completion(table())
                               : zsh_completion(table()));
        return status_ok;
    }

    static const CLI::App* child_of(const CLI::App& app, const std::string& name) {
        for (const CLI::App* child : app.get_subcommands(nullptr)) {
            if (child->get_name() == name) return child;
        }
        return nullptr;
    }

    const CLI::App* deepest() const {
        const CLI::App* at = &app_;
        while (!at->get_subcommands().empty())
            at = at->get_subcommands().front();
        return at;
    }

    int unknown_command(const std::string& word, const CLI::App* in) const {
        std::vector<std::string> names;
        for (const CLI::App* child : in->get_subcommands(nullptr)) {
            names.push_back(child->get_name());
        }
        const std::string near = nearest(word, names);
        const std::string path = path_of(*in).empty() ? "weir" : "weir " + path_of(*in);
        return report(
            {Code::invalid,
             fmt::format("there is no command \"{} {}\"{}; `{}` alone lists what there is",
                         path,
                         word,
                         near.empty() ? "" : " (did you mean `" + path + " " + near + "`?)",
                         path)});
    }

    static std::string near_option(const CLI::App& app, const std::string& given) {
        std::vector<std::string> names;
        for (const CLI::Option* option : app.get_options()) {
            for (const std::string& name : option->get_lnames())
                names.push_back("--" + name);
        }
        const std::string near = nearest(given.substr(0, given.find('=')), names);
        return near.empty() ? "" : " (did you mean " + near + "?)";
    }

    int wrong_usage(const CLI::ParseError& problem) const {
        const CLI::App* app = deepest();
        const std::string path = path_of(*app);
        std::string sentence = problem.what();
        if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
            const std::vector<std::string> extra = app_.remaining(true);
            if (!extra.empty() && extra[0][0] == '-') {
                sentence =
                    fmt::format("unknown option {}{}", extra[0], near_option(*app, extra[0]));
            } else if (!extra.empty() && !app->get_subcommands(nullptr).empty()) {
                return unknown_command(extra[0], app);
            } else if (!extra.empty()) {
                sentence = fmt::format("\"{}\" is one word too many", extra[0]);
            }
        }
        return report({Code::invalid,
                       path.empty()
                           ? fmt::format("{}; see weir help", sentence)
                           : fmt::format("{}: {}; see weir help {}", path, sentence, path)});
    }

    CommandInfo table() const {
        CommandInfo root = described(app_);
        root.summary = "one queue over all your compute";
        return root;
    }

    static CommandInfo described(const CLI::App& app) {
        CommandInfo info;
        info.name = app.get_name();
        info.group = app.get_group();
        info.summary = app.get_description();
        info.footer = app.get_footer();
        if (app.get_prefix_command()) info.behind = "-- COMMAND...";
        for (const CLI::Option* option : app.get_options()) {
            OptionInfo one;
            for (const std::string& name : option->get_snames())
                one.names.push_back("-" + name);
            for (const std::string& name : option->get_lnames())
                one.names.push_back("--" + name);
            const bool flag = option->get_items_expected_max() == 0;
            one.required = option->get_required();
            one.value = flag ? "" : option->get_type_name();
            one.description = option->get_description();
            one.repeats = option->get_items_expected_max() > 1;
            info.options.push_back(std::move(one));
        }
        for (const CLI::App* child : app.get_subcommands(nullptr))
            info.children.push_back(described(*child));
        return info;
    }

    CLI::App app_;
    std::map<const CLI::App*, std::function<int()>> actions_;
    std::vector<std::string> behind_dashes_;

    UpOptions up_;
    Common doctor_;
    SubmitOptions submit_;
    RunOptions run_;
    SchemaOptions schema_;
    SchemaCheckOptions check_;
    PsOptions ps_;
    ShowOptions show_;
    ShowOptions explain_;
    LogsOptions logs_;
    Common fleet_;
    JobsOptions cancel_;
    JobsOptions wait_;
    SimulateOptions simulate_;
    GenerateOptions generate_;
    ReplayOptions replay_;
    Common version_;
    std::vector<std::string> help_words_;
    bool help_markdown_ = false;
    bool help_json_ = false;
    std::string shell_;
    bool completion_json_ = false;
    bool show_version_ = false;
};

}  // namespace
}  // namespace weir::cli

int main(int argc, char** argv) {
    // A client that reads no more is an error of write(), never the end of the program.
    ::signal(SIGPIPE, SIG_IGN);
    try {
        return weir::cli::CommandLine().run(argc, argv);
    } catch (const std::exception& problem) {
        return weir::cli::report({weir::Code::internal, problem.what()});
    }
}
