#include "weir/job/sbatch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "weir/base/schema.hpp"
#include "weir/base/utf8.hpp"
#include "weir/job/array_text.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/sbatch_options.hpp"
#include "weir/job/sbatch_values.hpp"
#include "weir/job/schema.hpp"

namespace weir::job {
namespace {

// Slurm has no number for it; three is what clusters usually allow by hand.
constexpr std::uint32_t requeue_retries = 3;

// What the directives ask for, before it becomes a gang.
struct Asked {
    std::optional<NodeRange> nodes;
    std::optional<std::uint32_t> tasks;
    std::optional<std::uint32_t> tasks_per_node;
    std::optional<std::uint32_t> cpus_per_task;
    std::optional<std::uint32_t> cpus_per_gpu;
    std::optional<Bytes> memory;
    std::optional<Bytes> memory_per_cpu;
    std::optional<Bytes> memory_per_gpu;
    std::optional<std::uint32_t> gpus;           // of the job
    std::optional<std::uint32_t> gpus_per_node;  // --gres as well
    std::optional<std::uint32_t> gpus_per_task;
    bool error_file = false;
};

std::uint32_t divided_up(std::uint32_t a, std::uint32_t b) {
    return a / b + (a % b != 0 ? 1 : 0);
}

// Reads one script. Everything that is wrong is collected, so that a user sees it at once.
class Reader {
public:
    Reader(std::string_view text, std::string_view source)
        : source_(source), script_(scan_script(text)), problems_(source) {
        parsed_.spec.launch = LaunchMode::once;
        parsed_.spec.batch_script = true;
        parsed_.spec.script = std::string(text);
    }

    Result<ParsedJob> read(const std::vector<std::string>& args) {
        for (const Script::Problem& problem : script_.problems) {
            problems_.add({problem.line, problem.column}, "", problem.text);
        }
        for (const Script::Problem& remark : script_.remarks) {
            note(remark.line, remark.text);
        }
        for (const Directive& directive : script_.directives) {
            if (directive.option != nullptr) apply(directive);
        }
        finish_name();
        if (!asked_.error_file) parsed_.spec.stderr_path = parsed_.spec.stdout_path;
        WEIR_CHECK(problems_.result());
        if (const auto gang = make_gang(); !gang.has_value()) {
            return fail(gang.error().at(source_));
        }
        WEIR_CHECK(give_arguments(args));
        if (const auto sound = check_spec(parsed_.spec); !sound.has_value()) {
            return fail(sound.error().at(source_));
        }
        return std::move(parsed_);
    }

private:
    void note(std::uint32_t line, const std::string& text) {
        // Without the file: who shows notes says of which one they speak.
        parsed_.notes.push_back(fmt::format("line {}: {}", line, text));
    }

    // Sets `slot` from a value, or remembers what is wrong with it.
    template <class Slot, class T>
    void set(const Directive& directive, Slot& slot, const Result<T>& value) {
        if (value.has_value()) {
            slot = *value;
        } else {
            wrong(directive, value.error().message);
        }
    }
    void wrong(const Directive& directive, const std::string& what) {
        problems_.add({directive.line, directive.column}, directive.spelling, what);
    }

    void apply(const Directive& directive) {
        const SbatchOption& option = *directive.option;
        switch (option.treatment) {
            case Treatment::ignored:
                // Scripts ask for it by name, to know on what they run.
                if (option.name == "partition") {
                    parsed_.spec.env["SLURM_JOB_PARTITION"] = directive.value;
                }
                note(directive.line,
                     fmt::format("{} is ignored: {}", directive.spelling, option.says));
                return;
            case Treatment::refused:
                wrong(directive, fmt::format("cannot be honoured: {}", option.says));
                return;
            case Treatment::mapped:
                break;
        }
        if (directive.value.empty() && option.argument == Argument::required) {
            wrong(directive, "has no value");
            return;
        }
        if (!apply_size(option.name, directive)) apply_other(option.name, directive);
    }

    bool apply_size(std::string_view name, const Directive& directive) {
        const std::string& value = directive.value;
        if (name == "nodes") {
            set(directive, asked_.nodes, parse_slurm_nodes(value));
            if (asked_.nodes && asked_.nodes->low != asked_.nodes->high) {
                note(directive.line, fmt::format("of {} nodes the smaller number is taken", value));
            }
        } else if (name == "ntasks") {
            set(directive, asked_.tasks, parse_slurm_count(value));
        } else if (name == "ntasks-per-node") {
            set(directive, asked_.tasks_per_node, parse_slurm_count(value));
        } else if (name == "cpus-per-task") {
            set(directive, asked_.cpus_per_task, parse_slurm_count(value));
        } else if (name == "cpus-per-gpu") {
            set(directive, asked_.cpus_per_gpu, parse_slurm_count(value));
        } else if (name == "mem") {
            set(directive, asked_.memory, parse_slurm_memory(value));
            if (asked_.memory && asked_.memory->count == 0) {
                note(directive.line, "--mem=0 (all memory of the node) reserves none here");
            }
        } else if (name == "mem-per-cpu") {
            set(directive, asked_.memory_per_cpu, parse_slurm_memory(value));
        } else if (name == "mem-per-gpu") {
            set(directive, asked_.memory_per_gpu, parse_slurm_memory(value));
        } else if (name == "gres") {
            chips(directive, asked_.gpus_per_node, parse_slurm_gres(value));
        } else if (name == "gpus") {
            chips(directive, asked_.gpus, parse_slurm_gpus(value));
        } else if (name == "gpus-per-node") {
            chips(directive, asked_.gpus_per_node, parse_slurm_gpus(value));
        } else if (name == "gpus-per-task") {
            chips(directive, asked_.gpus_per_task, parse_slurm_gpus(value));
        } else {
            return false;
        }
        return true;
    }

    void chips(const Directive& directive,
               std::optional<std::uint32_t>& slot,
               const Result<ChipCount>& parsed) {
        if (!parsed.has_value()) return wrong(directive, parsed.error().message);
        slot = parsed->count;
        if (parsed->kind.empty()) return;
        auto& kinds = parsed_.spec.chips_any_of;
        if (!kinds.empty() && kinds.front() != parsed->kind) {
            return wrong(directive,
                         fmt::format("asks for {} where another line asks for {}; a "
                                     "job has one kind of chip",
                                     parsed->kind,
                                     kinds.front()));
        }
        kinds = {parsed->kind};
    }

    void apply_other(std::string_view name, const Directive& directive) {
        JobSpec& spec = parsed_.spec;
        const std::string& value = directive.value;
        if (name == "job-name") {
            set_name(value, directive.line);
        } else if (name == "account") {
            if (const auto bad = test_tenant(value)) {
                wrong(directive, fmt::format("'{}' {}", value, *bad));
            } else {
                spec.tenant = value;
            }
        } else if (name == "time") {
            set(directive, spec.limit, parse_slurm_time(value));
            if (!spec.limit) {
                note(directive.line, "without a time limit the hub's own is in force");
            }
        } else if (name == "array") {
            set(directive, spec.array, parse_array(value));
        } else if (name == "dependency") {
            const auto parsed = parse_slurm_dependency(value);
            if (!parsed.has_value()) return wrong(directive, parsed.error().message);
            spec.after = parsed->after;
            spec.after_any = parsed->after_any;
            spec.after_failure = parsed->after_failure;
        } else if (name == "output") {
            spec.stdout_path = file_of(directive);
        } else if (name == "error") {
            spec.stderr_path = file_of(directive);
            asked_.error_file = true;
        } else if (name == "chdir") {
            if (value.front() != '/') {
                wrong(directive,
                      fmt::format("'{}' is not an absolute path; begin it with '/', or "
                                  "leave it out to run where the job is submitted",
                                  value));
            }
            spec.workdir = value;
        } else if (name == "export") {
            add_variables(directive);
        } else if (name == "qos") {
            if (const auto priority = priority_from_name(value)) {
                spec.priority = *priority;
            } else {
                note(directive.line,
                     fmt::format("the QOS '{}' is ignored: weir knows low, "
                                 "normal, high and urgent",
                                 value));
            }
        } else if (name == "requeue") {
            spec.retries = requeue_retries;
        } else if (name == "no-requeue") {
            spec.retries = 0;
        } else if (name == "comment") {
            spec.comment = value;
        } else if (name == "deadline") {
            set(directive, spec.deadline, parse_slurm_deadline(value));
        } else if (name == "reservation") {
            if (const auto bad = schema::test_name(value)) {
                wrong(directive, fmt::format("'{}' {}", value, *bad));
            } else {
                spec.reservation = value;
            }
        }
    }

    // Some of Slurm's codes have no meaning here; the rest is expanded by who starts the job.
    std::string file_of(const Directive& directive) {
        for (const std::string& code : codes_of_nothing(directive.value)) {
            note(directive.line, fmt::format("{} stays as it is in {}", code, directive.value));
        }
        return directive.value;
    }

    void add_variables(const Directive& directive) {
        std::string_view rest = directive.value;
        while (!rest.empty()) {
            const auto comma = rest.find(',');
            const std::string_view item = rest.substr(0, comma);
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
            const auto equals = item.find('=');
            if (equals == std::string_view::npos) continue;  // ALL, NONE, or a name to pass on
            const std::string_view variable = item.substr(0, equals);
            if (const auto bad = test_variable(variable)) {
                wrong(directive, fmt::format("the name '{}' {}", variable, *bad));
                continue;
            }
            parsed_.spec.env[std::string(variable)] = std::string(item.substr(equals + 1));
        }
    }

    void set_name(const std::string& wish, std::uint32_t line) {
        std::string name = wish;
        for (char& c : name) {
            if (schema::test_name(std::string("a") + c + "a")) c = '_';
        }
        name = name.substr(0, 100);
        while (first_bad_utf8(name) || (!name.empty() && name.back() == ' '))
            name.pop_back();
        if (test_job_name(name)) name = "job-" + name;
        if (name != wish) note(line, fmt::format("the job is called '{}'", name));
        parsed_.spec.name = name;
    }

    // As Slurm has it: without -J the name is that of the script's file.
    void finish_name() {
        if (!parsed_.spec.name.empty()) return;
        const auto slash = source_.rfind('/');
        const std::string_view file =
            source_.substr(slash == std::string_view::npos ? 0 : slash + 1);
        const bool is_file = file.find_first_of("[] ") == std::string_view::npos && file != "-";
        parsed_.spec.name = is_file && !test_job_name(file) ? std::string(file) : "sbatch";
    }

    // A replica of weir is a node of Slurm where the script speaks of nodes, else a task.
    Result<void> make_gang() {
        Gang& gang = parsed_.spec.gang;
        const std::uint32_t cpus = asked_.cpus_per_task.value_or(1);
        const std::uint32_t total = total_tasks();
        std::uint32_t tasks = 1;  // in each replica
        if (asked_.nodes || asked_.tasks_per_node) {
            gang.replicas = asked_.nodes
                                ? asked_.nodes->low
                                : divided_up(asked_.tasks.value_or(1), *asked_.tasks_per_node);
            const std::uint32_t even = divided_up(total, gang.replicas);
            tasks =
                asked_.tasks_per_node ? std::min(*asked_.tasks_per_node, std::max(even, 1U)) : even;
            if (std::uint64_t{tasks} * gang.replicas < total) {
                return fail(Code::invalid,
                            fmt::format("--ntasks: {} tasks do not fit {} nodes of at most {}",
                                        total,
                                        gang.replicas,
                                        tasks));
            }
        } else {
            const bool per_node = asked_.gpus_per_node || asked_.memory_per_gpu ||
                                  (asked_.gpus && *asked_.gpus % total != 0);
            gang.replicas = per_node ? 1 : total;
            tasks = per_node ? total : 1;
            if (per_node && total > 1) {
                parsed_.notes.push_back(fmt::format(
                    "all {} tasks are placed on one node, because chips or memory are asked "
                    "for by node; give --nodes to spread them",
                    total));
            }
        }
        WEIR_CHECK(give_chips(gang, tasks));
        const std::uint32_t of_chips =
            asked_.cpus_per_gpu && !asked_.cpus_per_task ? *asked_.cpus_per_gpu * gang.chips : 0;
        const std::uint64_t cpus_each =
            std::max<std::uint64_t>(of_chips, std::uint64_t{tasks} * cpus);
        if (cpus_each > static_cast<std::uint64_t>(cpus_milli_max) / 1000) {
            return fail(Code::invalid,
                        fmt::format("--cpus-per-task: {} CPUs on one node are more "
                                    "than any has",
                                    cpus_each));
        }
        gang.cpus_milli = static_cast<std::uint32_t>(cpus_each * 1000);
        WEIR_CHECK(give_memory(gang, cpus_each));
        remember_environment(total);
        return {};
    }

    [[nodiscard]] std::uint32_t total_tasks() const {
        if (asked_.tasks) return *asked_.tasks;
        const std::uint64_t nodes = asked_.nodes ? asked_.nodes->low : 1;
        const std::uint64_t all = nodes * asked_.tasks_per_node.value_or(1);
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(all, 1'000'000'000));
    }

    Result<void> give_chips(Gang& gang, std::uint32_t tasks) {
        std::uint64_t chips = 0;
        const auto agree = [&chips](std::string_view option, std::uint64_t wish) -> Result<void> {
            if (chips != 0 && chips != wish) {
                return fail(Code::invalid,
                            fmt::format("{} asks for {} chips on each node where another option "
                                        "asks for {}",
                                        option,
                                        wish,
                                        chips));
            }
            chips = wish;
            return {};
        };
        if (asked_.gpus_per_node) WEIR_CHECK(agree("--gpus-per-node", *asked_.gpus_per_node));
        if (asked_.gpus_per_task) {
            WEIR_CHECK(agree("--gpus-per-task", std::uint64_t{*asked_.gpus_per_task} * tasks));
        }
        if (asked_.gpus) {
            if (*asked_.gpus % gang.replicas != 0) {
                return fail(Code::invalid,
                            fmt::format("--gpus: {} chips cannot be divided evenly among {} "
                                        "nodes; give --gpus-per-node",
                                        *asked_.gpus,
                                        gang.replicas));
            }
            WEIR_CHECK(agree("--gpus", *asked_.gpus / gang.replicas));
        }
        if (chips > fleet::chips_per_node_max) {
            return fail(Code::invalid,
                        fmt::format("{} chips on one node are more than any has; give --nodes to "
                                    "spread them",
                                    chips));
        }
        gang.chips = static_cast<std::uint32_t>(chips);
        parsed_.spec.gpus = chips > 0;
        return {};
    }

    Result<void> give_memory(Gang& gang, std::uint64_t cpus_each) {
        const int given = (asked_.memory ? 1 : 0) + (asked_.memory_per_cpu ? 1 : 0) +
                          (asked_.memory_per_gpu ? 1 : 0);
        if (given > 1) {
            return fail(Code::invalid,
                        "--mem, --mem-per-cpu and --mem-per-gpu exclude each other; keep one");
        }
        if (asked_.memory_per_gpu && gang.chips == 0) {
            return fail(Code::invalid, "--mem-per-gpu: no chips are asked for; give --gpus");
        }
        using Wide = __int128;
        Wide bytes = 0;
        if (asked_.memory_per_cpu) bytes = Wide{asked_.memory_per_cpu->count} * Wide{cpus_each};
        if (asked_.memory_per_gpu) bytes = Wide{asked_.memory_per_gpu->count} * Wide{gang.chips};
        if (asked_.memory) {
            bytes = asked_.memory->count;
            const bool by_task = !asked_.nodes && !asked_.tasks_per_node && gang.replicas > 1;
            if (by_task) {
                // Each task takes its share, so that together on one node they take what was said.
                bytes = (bytes + gang.replicas - 1) / gang.replicas;
                parsed_.notes.push_back(
                    fmt::format("--mem is for a node and no --nodes is given, so each of the "
                                "{} tasks reserves its share of it",
                                gang.replicas));
            }
        }
        if (bytes > (Wide{1} << 60)) {
            return fail(Code::invalid, "--mem: more than 1EiB on one node");
        }
        gang.memory = Bytes{static_cast<std::int64_t>(bytes)};
        return {};
    }

    void remember_environment(std::uint32_t total) {
        auto& env = parsed_.spec.env;
        env["SLURM_NTASKS"] = std::to_string(total);
        if (asked_.cpus_per_task)
            env["SLURM_CPUS_PER_TASK"] = std::to_string(*asked_.cpus_per_task);
        if (asked_.tasks_per_node) {
            env["SLURM_NTASKS_PER_NODE"] = std::to_string(*asked_.tasks_per_node);
        }
    }

    // A script has no place for arguments but itself: in a shell, `set --` gives them. It takes
    // the place of the first directive, so that line numbers in messages stay right.
    Result<void> give_arguments(const std::vector<std::string>& args) {
        if (args.empty()) return {};
        std::string_view program = script_.interpreter;
        program = program.substr(0, program.find_first_of(" \t"));
        const auto slash = program.rfind('/');
        std::string_view shell = program.substr(slash == std::string_view::npos ? 0 : slash + 1);
        if (shell == "env") {
            std::string_view rest = script_.interpreter;
            rest.remove_prefix(std::min(program.size() + 1, rest.size()));
            shell = rest.substr(0, rest.find_first_of(" \t"));
        }
        static constexpr std::string_view shells[] = {"sh", "bash", "dash", "ksh", "zsh"};
        if (std::find(std::begin(shells), std::end(shells), shell) == std::end(shells)) {
            return fail(Code::unsupported,
                        fmt::format("{}: arguments can be given to scripts of sh, bash, dash, ksh "
                                    "and zsh, not of {}",
                                    source_,
                                    script_.interpreter));
        }
        std::string line = "set --";
        for (const std::string& argument : args) {
            line += " '";
            for (const char c : argument) {
                if (c == '\0' || c == '\n') {
                    return fail(
                        Code::invalid,
                        fmt::format("{}: an argument of a script must be one line", source_));
                }
                line += c == '\'' ? std::string("'\\''") : std::string(1, c);
            }
            line += '\'';
        }
        std::string& text = parsed_.spec.script;
        std::size_t at = text.find('\n');
        if (at == std::string::npos) return {};  // nothing but the first line
        ++at;
        if (script_.first_directive_line == 0) {
            text.insert(at, line + "\n");
            return {};
        }
        for (std::uint32_t number = 2; number < script_.first_directive_line; ++number) {
            at = text.find('\n', at) + 1;
        }
        const std::size_t end = std::min(text.find('\n', at), text.size());
        text.replace(at, end - at, line);
        return {};
    }

    const std::string_view source_;
    const Script script_;
    schema::Problems problems_;
    Asked asked_;
    ParsedJob parsed_;
};

std::string_view without_byte_order_mark(std::string_view text) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    return text.substr(0, mark.size()) == mark ? text.substr(mark.size()) : text;
}

}  // namespace

bool looks_like_script(std::string_view text) {
    return without_byte_order_mark(text).substr(0, 2) == "#!";
}

Result<ParsedJob> read_sbatch_text(std::string_view text,
                                   std::string_view source,
                                   const std::vector<std::string>& args) {
    if (text.size() > script_bytes_max) {
        return fail(Code::too_large,
                    fmt::format("{}: has {}; at most {} are read",
                                source,
                                format_bytes(Bytes{static_cast<std::int64_t>(text.size())}),
                                format_bytes(Bytes{static_cast<std::int64_t>(script_bytes_max)})));
    }
    // Editors of Windows put one there; behind it the kernel would find no #!.
    text = without_byte_order_mark(text);
    const auto refuse = [&](std::size_t at, std::string_view why) {
        const TextPlace place = place_of_byte(text, at);
        return fail(Code::invalid,
                    fmt::format("{}:{}:{}: {}", source, place.line, place.column, why));
    };
    if (!looks_like_script(text)) {
        return refuse(0, "a batch script begins with #! and its interpreter, such as #!/bin/bash");
    }
    if (const auto at = text.find('\0'); at != std::string_view::npos) {
        return refuse(at, "a NUL character stands here; this is no script");
    }
    if (const auto at = text.find('\r'); at != std::string_view::npos) {
        return refuse(at,
                      "this line ends as lines do on Windows; convert the script, for example "
                      "with dos2unix");
    }
    if (const auto at = first_bad_utf8(text)) {
        return refuse(*at, "this byte is no UTF-8; save the script as UTF-8");
    }
    return Reader(text, source).read(args);
}

std::string sbatch_reference() {
    std::string out = R"(# #SBATCH scripts

`weir submit script.sbatch` takes a Slurm batch script as it is. Its directives become the same description as a
[job file](job.md)'s; the whole script then runs once, on the first node of its gang. Directives stand before the first command, in
long or short form (`--nodes=2`, `--nodes 2`, `-N2`, `-N 2`); of a long one the beginning is enough if no other begins so. One that weir
does not know is a note that names it with its line. This page is generated from the table that the reader uses.

Where a script speaks of nodes (`--nodes`, `--ntasks-per-node`), a replica of the gang is a node; otherwise it is a task. Arguments
(`weir submit script.sbatch -- a b`) reach `$1` and `$2` of shell scripts. Chips that are asked for as GPUs are never processors, which
a machine without accelerators offers as chips.

## In the environment of the script

| variable | value |
| --- | --- |
| `SLURM_JOB_ID`, `SLURM_JOB_NAME`, `SLURM_JOB_ACCOUNT` | number of the job, its name, its tenant |
| `SLURM_JOB_PARTITION` | what `--partition` asked for, where it did |
| `SLURM_JOB_NUM_NODES`, `SLURM_NNODES` | nodes of the gang |
| `SLURM_NTASKS`, `SLURM_CPUS_PER_TASK`, `SLURM_NTASKS_PER_NODE` | as the script asked for them |
| `SLURM_CPUS_ON_NODE`, `SLURM_GPUS_ON_NODE` | what the job has on the first node; the latter only where it has accelerators |
| `SLURM_PROCID`, `SLURM_LOCALID`, `SLURM_NODEID` | 0, since the script runs once |
| `SLURM_SUBMIT_DIR` | the working folder |
| `SLURM_ARRAY_JOB_ID`, `SLURM_ARRAY_TASK_ID`, `SLURM_ARRAY_TASK_COUNT`, `SLURM_ARRAY_TASK_MIN`, `SLURM_ARRAY_TASK_MAX` | in an array |

`SLURM_JOBID` and `SLURM_NODELIST` are not set: Open MPI would take them as proof that `srun` is there. The variables of weir,
[those of every job](job.md), are set as well.

)";
    const auto section = [&out](
                             Treatment treatment, std::string_view title, std::string_view column) {
        out += fmt::format("## {}\n\n| option | {} |\n| --- | --- |\n", title, column);
        for (const SbatchOption& option : sbatch_options()) {
            if (option.treatment != treatment) continue;
            const std::string letter =
                option.letter != 0 ? fmt::format("`-{}`, ", option.letter) : "";
            out += fmt::format("| {}`--{}` | {} |\n", letter, option.name, option.says);
        }
        out += '\n';
    };
    section(Treatment::mapped, "Become part of the job", "becomes");
    section(Treatment::ignored, "Are ignored, with a note", "because");
    section(Treatment::refused, "Are errors", "because");
    out.pop_back();
    return out;
}

}  // namespace weir::job
