#include "weir/job/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <optional>

#include "weir/base/units.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/array_text.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/precision.hpp"
#include "weir/job/train.hpp"

namespace weir::job {
namespace {

using schema::boolean;
using schema::choice;
using schema::either;
using schema::integer;
using schema::list_of;
using schema::list_or_one;
using schema::map_of;
using schema::number;
using schema::object;
using schema::Object;
using schema::quantity;
using schema::text;
using schema::Type;
using schema::Use;
using schema::word;

std::optional<std::string> test_chips(std::string_view text) {
    if (chips_permille(text)) return std::nullopt;
    return "is not a number of chips: write 0 to " + std::to_string(fleet::chips_per_node_max) +
           ", or a share of one chip from 0.1 to 0.9";
}

std::optional<std::string> test_array(std::string_view text) {
    const auto array = parse_array(text);
    if (array.has_value()) return std::nullopt;
    // The message repeats the value, which stands in front of it already.
    return "is not valid: " + array.error().message;
}

std::optional<std::string> test_signal(std::string_view text) {
    if (signal_from_name(text)) return std::nullopt;
    return "is not a signal: write a name such as USR1 or TERM, or a number from 1 to 64";
}

std::optional<std::string> test_accept(std::string_view text) {
    if (accept_from_text(text)) return std::nullopt;
    return "is not a way to reach a precision: write native, emulated, refined, pair or "
           "quantised, with a grade as in emulated>=certified (strict, certified, bounded, "
           "best_effort)";
}

// "16..256" or "64": the elastic range of a training job.
std::optional<std::string> test_range(std::string_view text) {
    const auto range = chip_range_from_text(text);
    if (range.has_value()) return std::nullopt;
    return range.error().message;
}

std::optional<std::string> test_path(std::string_view text) {
    if (!text.empty() && text.front() == '/') return std::nullopt;
    return "is not an absolute path: begin it with '/', or leave it out to run where the job is "
           "submitted";
}

std::optional<std::string> test_retry(std::string_view text) {
    static constexpr std::array<std::string_view, 4> causes{
        "any", "signal", "memory", "time_limit"};
    if (std::find(causes.begin(), causes.end(), text) != causes.end()) return std::nullopt;
    int code = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    if (error == std::errc{} && end == text.data() + text.size() && code >= 1 && code <= 255) {
        return std::nullopt;
    }
    return "is not a failure to retry: write an exit code from 1 to 255, or any, signal, memory, "
           "time_limit";
}

schema::Value level() {
    return choice({"node", "rack", "pod", "pool", "site"});
}
schema::Value name() {
    return word("name", schema::test_name, "");
}
schema::Value dataset() {
    return word("name", test_dataset, "^[^./,\"'][^/,\"']*$");
}

schema::Value below() {
    return word("path", test_path_below, "^[^/].*$");
}
schema::Value format() {
    return choice(catalog::format_names());
}

const Object& gang_table() {
    static const Object table{
        "gang",
        "What must start together, whole or not at all.",
        {
            {"replicas", integer(1, replicas_max), "Workers; each lives on one node", "8", "1"},
            {"chips",
             word("number of chips", test_chips, "^([0-9]+|0?\\.[1-9][0-9]{0,2})$"),
             "Accelerators of each replica, 0 for none; 0.1 to 0.9 is a share of one chip",
             "4",
             "0"},
            {"cpus", number(0.1, 1e6), "CPUs of each replica", "32", "1"},
            {"memory", quantity(Type::bytes), "Memory of each replica", "128GiB", "none reserved"},
            {"within", level(), "All replicas inside one of these; required", "rack", "site"},
            {"prefer", level(), "Wished, never waited for", "node"},
            {"replace",
             boolean(),
             "When one of its nodes fails, another may take its place while the job goes on",
             "true",
             "false"},
        },
        {{"nodes", "write replicas, of which each lives on one node"},
         {"gpus", "write chips"},
         {"cores", "write cpus"},
         {"mem", "write memory"},
         {"workers", "write replicas"}}};
    return table;
}

const Object& chips_table() {
    static const Object table{
        "chips",
        "Which chips may serve. Without it every chip may.",
        {
            {"any_of",
             list_or_one(name()),
             "Kinds, in order of preference",
             "[h200, a100-sxm-80g]",
             "every kind"},
            {"stack",
             list_or_one(name()),
             "Software that the program was built for; a chip serves that runs one of it",
             "[cuda, cann]"},
            {"memory",
             quantity(Type::bytes),
             "At least, of each chip; a way that needs more memory, such as emulation, needs a "
             "multiple",
             "64GiB"},
        }};
    return table;
}

const Object& tolerance_table() {
    static const Object table{"tolerance",
                              "How far the result may be off.",
                              {
                                  {"metric", text(), "Of what", "backward_error", "", true},
                                  {"value", number(0, 1e300), "At most", "1e-12", "", true},
                              }};
    return table;
}

const Object& result_table() {
    static const Object table{"result",
                              "What the answer must be.",
                              {
                                  {"format", format(), "Its number format", "fp64", "", true},
                                  {"tolerance",
                                   schema::either({number(0, 1), object(tolerance_table())}),
                                   "How far it may be off",
                                   "1e-12"},
                              }};
    return table;
}

const Object& precision_table() {
    static const Object table{
        "precision",
        "The contract on precision: what the answer must be, and which ways to it are accepted.",
        {
            {"result", object(result_table()), "The answer", "{format: fp64}", "", true},
            {"accept",
             list_or_one(word("way", test_accept, "")),
             "Ways to it; emulation only where it is named, without a grade if it is certified",
             "[native, emulated>=certified]",
             "[native]"},
            {"range_bits",
             integer(0, 2048),
             "Spread of exponents in a row or column; without it no way counts that is only "
             "bounded",
             "20"},
            {"specials",
             choice({"by_grade", "ignore", "required"}),
             "Whether infinities, NaN and subnormals must behave: only native and strict ways do",
             "required",
             "as the grade of an accepted way has it"},
            {"reproducible",
             choice({"none", "run_to_run", "bitwise"}),
             "How equal two runs must be; bitwise keeps the job to one kind of chip, run_to_run is "
             "the program's own affair and asks nothing of chips",
             "bitwise",
             "none"},
            {"on_unsatisfied",
             choice({"wait", "fail", "degrade"}),
             "When no chip of the fleet can: wait for a fleet that can, refuse the job, or take "
             "the "
             "nearest that there is and say so",
             "degrade",
             "wait"},
        }};
    return table;
}

const Object& work_table() {
    static const Object table{
        "work",
        "One phase of what the job computes, over all its chips, so that its time on each kind can "
        "be "
        "predicted.",
        {
            {"name", name(), "Of the phase", "update"},
            {"op",
             choice({"gemm", "vector", "spmv", "fft", "attention", "other"}),
             "Kind of operation",
             "gemm",
             "",
             true},
            {"flops", number(0, 1e30), "Operations in all", "6.3e17", "", true},
            {"bytes", number(0, 1e30), "Bytes moved in all, with numbers in `format`", "4.0e15"},
            {"dim", integer(1, std::int64_t{1} << 40), "Size of the matrices", "16384"},
            {"format", format(), "Number format of the operations", "fp64", "that of the answer"},
            {"storage",
             format(),
             "Number format in memory, where it is another: scales the bytes",
             "fp32",
             "as format"},
        }};
    return table;
}

const Object& time_table() {
    static const Object table{
        "time",
        "How long the job may run, and how long it probably will.",
        {
            {"limit",
             quantity(Type::duration),
             "After this the job is stopped",
             "4h",
             "the hub's, 24h"},
            {"expected",
             quantity(Type::duration),
             "Probable duration; who may overtake is tried by it, no promise is made by it",
             "3h",
             "by history"},
        },
        {{"max", "write limit"}, {"walltime", "write limit"}}};
    return table;
}

const Object& checkpoint_table() {
    static const Object table{
        "checkpoint",
        "Lets the job be stopped for others and resumed.",
        {
            {"every", quantity(Type::duration), "It saves its state this often", "30min", "", true},
            {"cost", quantity(Type::duration), "A save takes this long", "90s", "0s"},
            {"signal", word("signal", test_signal, ""), "Asks it to save at once", "USR1", "USR1"},
        }};
    return table;
}

const Object& data_in_table() {
    static const Object table{"data_in",
                              "A dataset that must lie at the site: the job waits until it does.",
                              {
                                  {"dataset", dataset(), "Its name", "era5-2020", "", true},
                                  {"as",
                                   below(),
                                   "A link to it below the working folder; without one it is "
                                   "$WEIR_DATA/NAME",
                                   "data/era5"},
                              }};
    return table;
}

const Object& data_out_table() {
    static const Object table{
        "data_out",
        "A dataset that the job makes: registered where it ran, when it has succeeded.",
        {
            {"path", below(), "Path below the working folder", "out", "", true},
            {"dataset", dataset(), "Its name", "flutter-42", "", true},
            {"keep", quantity(Type::duration), "So long, and then it goes", "30d", "for good"},
        }};
    return table;
}

const Object& data_table() {
    static const Object table{"data",
                              "What the job reads and writes beyond its working folder.",
                              {
                                  {"in", list_of(object(data_in_table())), "Datasets it reads"},
                                  {"out", list_of(object(data_out_table())), "Datasets it makes"},
                              }};
    return table;
}

const Object& train_table() {
    static const Object table{
        "train",
        "What to train instead of how many chips: for each pool and each number of chips in the "
        "range the planner finds the parallel plan, what fits into memory and how long it takes, "
        "and the job starts with the one by which it ends first (`weir offers`). Each replica is "
        "a node; `gang` says its cpus and memory, `time: {limit: …}` how long it may take at most.",
        {
            {"model",
             text(),
             "Name in the catalogue, or path to a Hugging Face config.json",
             "llama-3.1-8b",
             "",
             true},
            {"sequence",
             integer(1, 100'000'000),
             "Tokens of a sequence",
             "8192",
             "that of the model, at most 4096"},
            {"global_batch",
             integer(1, 100'000'000),
             "Sequences of a step",
             "1024",
             "4 million tokens a step"},
            {"tokens", number(1, 1e18), "Tokens in all", "20e9", "", true},
            {"precision",
             choice({"fp8", "bf16", "fp16", "fp32"}),
             "Format of the matrix work: the least that is kept, so that fp8 may be planned as "
             "bf16",
             "bf16",
             "bf16"},
            {"chips",
             word("number or range", test_range, "^[0-9]+(\\.\\.[0-9]+)?$"),
             "Elastic range; one number is rigid. The size is chosen when the job starts, and kept "
             "until it ends",
             "16..256",
             "",
             true},
            {"framework",
             choice({"megatron-lm", "deepspeed", "mindspeed", "torchtitan"}),
             "Who runs it, and whose arguments are in WEIR_LAUNCH_ARGS",
             "mindspeed",
             "megatron-lm"},
        }};
    return table;
}

}  // namespace

std::optional<std::uint32_t> chips_permille(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    const double thousandths = value * 1000;
    const auto whole = static_cast<std::int64_t>(thousandths + 0.5);
    if (value < 0 || value > fleet::chips_per_node_max) return std::nullopt;
    const double off = thousandths - static_cast<double>(whole);
    if (off > 1e-6 || off < -1e-6) return std::nullopt;
    const bool share = whole >= 100 && whole <= 900;
    if (whole % 1000 != 0 && !share) return std::nullopt;
    return static_cast<std::uint32_t>(whole);
}

std::optional<int> signal_from_name(std::string_view text) {
    struct Named {
        std::string_view name;
        int number;
    };
    static constexpr std::array<Named, 17> table{{{"HUP", SIGHUP},
                                                  {"INT", SIGINT},
                                                  {"QUIT", SIGQUIT},
                                                  {"ABRT", SIGABRT},
                                                  {"KILL", SIGKILL},
                                                  {"USR1", SIGUSR1},
                                                  {"USR2", SIGUSR2},
                                                  {"ALRM", SIGALRM},
                                                  {"TERM", SIGTERM},
                                                  {"CONT", SIGCONT},
                                                  {"STOP", SIGSTOP},
                                                  {"TSTP", SIGTSTP},
                                                  {"XCPU", SIGXCPU},
                                                  {"PIPE", SIGPIPE},
                                                  {"URG", SIGURG},
                                                  {"WINCH", SIGWINCH},
                                                  {"IO", SIGIO}}};
    std::string_view name = text;
    if (name.substr(0, 3) == "SIG") name.remove_prefix(3);
    for (const Named& named : table) {
        if (named.name == name) return named.number;
    }
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= 64) {
        return number;
    }
    return std::nullopt;
}

const Object& job_schema() {
    static const Object table{
        "job",
        "One job, or an array of equal ones.",
        {
            {"name",
             word("name", test_job_name, ""),
             "What people call it",
             "wing-flutter",
             "the name of the file"},
            {"tenant",
             word("path of names", test_tenant, ""),
             "Who asks: path in the organisation tree",
             "university/aero",
             "the user's login"},
            {"run", text(), "The command, run by /bin/sh", "mpirun -n 32 ./flutter in.nml"},
            {"script",
             text(),
             "Instead of run: several lines, with #! for another interpreter",
             "|"},
            {"launch",
             choice({"replicas", "once"}),
             "Whether weir starts the command on every replica, or once because it starts the "
             "replicas itself",
             "once",
             "once for mpirun, srun, torchrun and the like, else replicas"},
            {"priority",
             choice({"low", "normal", "high", "urgent"}),
             "Before whom it goes",
             "high",
             "normal"},
            {"gang", object(gang_table()), "What must start together", "{replicas: 8, chips: 4}"},
            {"chips", object(chips_table()), "Which chips may serve", "{any_of: [h200]}"},
            {"time", object(time_table()), "How long it runs", "{limit: 4h, expected: 3h}"},
            {"array",
             either({word("list of indices",
                          test_array,
                          "^[0-9]+(-[0-9]+(:[0-9]+)?)?(,[0-9]+(-[0-9]+(:[0-9]+)?)?)*(%[0-9]+)?$"),
                     list_of(integer(0, array_index_max))}),
             "Members, each with its WEIR_ARRAY_INDEX; %N at the end: at most N at once",
             "0-99%10"},
            {"after",
             list_or_one(name()),
             "Jobs, by name or id, that must succeed first",
             "[mesh-wing]"},
            {"after_any", list_or_one(name()), "Jobs that must have ended first", "[mesh-wing]"},
            {"after_failure", list_or_one(name()), "Jobs that must fail first", "[mesh-wing]"},
            {"retries",
             integer(0, retries_max),
             "Repeats after failures of the infrastructure",
             "2",
             "0"},
            {"retry_on",
             list_or_one(word("failure", test_retry, "")),
             "Failures of the job itself that are repeated as well: exit codes, signal, memory, "
             "time_limit, any",
             "[75, signal]",
             "none",
             false,
             Use::checked},
            {"env",
             map_of(text(), test_variable),
             "Variables of the environment",
             "{OMP_NUM_THREADS: 8}"},
            {"workdir",
             word("absolute path", test_path, "^/"),
             "Working folder",
             "/data/flutter",
             "where it was submitted"},
            {"stdout",
             text(),
             "File for the output; %j job, %A array, %a index, %x name, %r rank, %N node, %u user; "
             "what is in it stays, and is appended to; folders that are missing are made",
             "out/%j.%r.txt",
             "kept by the hub"},
            {"stderr", text(), "File for the errors, likewise", "out/%j.%r.err", "kept by the hub"},
            {"output_limit",
             quantity(Type::bytes),
             "Of each stream of each replica; what is cut is said",
             "1GiB",
             "64MiB"},
            {"grace",
             quantity(Type::duration),
             "Between the polite signal, which every process of the job gets, and the kill of "
             "those that are "
             "left",
             "30s",
             "10s"},
            {"sites", list_or_one(name()), "Where it may run", "[wuxi-hpc, local]", "every site"},
            {"checkpoint",
             object(checkpoint_table()),
             "How it saves its state",
             "{every: 30min, cost: 90s}"},
            {"deadline",
             quantity(Type::time),
             "When it must be done; a hub refuses a job that cannot hold it",
             "2026-12-01T08:00:00Z"},
            {"reservation",
             name(),
             "The reservation that it runs inside (`weir reserve`)",
             "night"},
            {"comment", text(), "For people", "second try"},
            {"precision",
             object(precision_table()),
             "Contract on precision: only chips that keep it serve",
             "{result: {format: fp64}}"},
            {"work",
             list_of(object(work_table())),
             "What it computes: its formats have to be native unless `precision` accepts another "
             "way, and its time on each kind of chip is predicted",
             "[{op: gemm, flops: 6.3e17, bytes: 4.0e15}]"},
            {"data", object(data_table()), "Datasets", "{in: [{dataset: era5-2020}]}"},
            {"budget",
             quantity(Type::money),
             "What it may cost at most, by its time limit and all members of an array together; "
             "attempts that were stopped count, and another one must fit into the rest (of an "
             "array, into the member's equal part)",
             "500 CNY"},
            {"train",
             object(train_table()),
             "What to train, instead of how many chips",
             "{model: llama-3.1-8b, tokens: 20e9, chips: 16..256}"},
        },
        {{"command", "write run"},
         {"cmd", "write run"},
         {"nodes", "write gang: {replicas: N}; each replica lives on one node"},
         {"gpus", "write gang: {chips: N}"},
         {"accelerators", "write gang: {chips: N}"},
         {"cores", "write gang: {cpus: N}"},
         {"mem", "write gang: {memory: 128GiB}"},
         {"walltime", "write time: {limit: 4h}"},
         {"time_limit", "write time: {limit: 4h}"},
         {"timeout", "write time: {limit: 4h}"},
         {"depends_on", "write after"},
         {"dependency", "write after, after_any or after_failure"},
         {"dependencies", "write after"},
         {"environment", "write env"},
         {"requeue", "write retries"},
         {"partition", "write sites or chips"},
         {"account", "write tenant"},
         {"output", "write stdout"},
         {"error", "write stderr"},
         {"cwd", "write workdir"}}};
    return table;
}

}  // namespace weir::job
