#include "weir/job/check_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "weir/base/schema.hpp"
#include "weir/job/array_text.hpp"

namespace weir::job {
namespace {

Result<void> within(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return {};
    return fail(Code::invalid,
                fmt::format("{}: {} is out of range; valid are {} to {}", key, value, low, high));
}

Result<void> one_line(std::string_view key, std::string_view value, std::size_t bytes_max) {
    if (value.size() > bytes_max) {
        return fail(
            Code::invalid,
            fmt::format("{}: has {} bytes; at most {} are valid", key, value.size(), bytes_max));
    }
    const bool control = std::any_of(value.begin(), value.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (control) {
        return fail(Code::invalid,
                    fmt::format("{}: must be one line without control characters", key));
    }
    return {};
}

Result<void> named(std::string_view key, std::string_view word, schema::Test test) {
    if (const auto wrong = test(word)) {
        return fail(Code::invalid, fmt::format("{}: '{}' {}", key, word.substr(0, 60), *wrong));
    }
    return {};
}

Result<void> check_gang(const Gang& gang) {
    WEIR_CHECK(within("gang.replicas", gang.replicas, 1, replicas_max));
    WEIR_CHECK(within("gang.chips", gang.chips, 0, fleet::chips_per_node_max));
    WEIR_CHECK(within("gang.chips (thousandths)", gang.chip_permille, 0, 999));
    if (gang.chips > 0 && gang.chip_permille > 0) {
        return fail(Code::invalid, "gang.chips: whole chips and a fraction of one exclude another");
    }
    WEIR_CHECK(within("gang.cpus (thousandths)", gang.cpus_milli, 0, cpus_milli_max));
    constexpr std::int64_t memory_max = std::int64_t{1} << 60;
    WEIR_CHECK(within("gang.memory (bytes)", gang.memory.count, 0, memory_max));
    if (gang.memory.count > memory_max / gang.replicas) {
        return fail(Code::invalid,
                    fmt::format("gang.memory: {} for each of {} replicas is more than 1EiB in all",
                                format_bytes(gang.memory),
                                gang.replicas));
    }
    return {};
}

Result<void> amount(std::string_view key, double value, double most) {
    if (value >= 0 && value <= most) return {};
    return fail(Code::invalid,
                fmt::format("{}: {} is out of range; valid are 0 to {}", key, value, most));
}

Result<void> check_precision(const JobSpec& spec) {
    constexpr double work_max = 1e30;
    constexpr std::int64_t dim_max = std::int64_t{1} << 40;
    for (const Phase& phase : spec.work) {
        if (!phase.name.empty()) WEIR_CHECK(named("work.name", phase.name, schema::test_name));
        if (phase.op == catalog::Op::memory) {
            return fail(Code::invalid,
                        "work.op: 'memory' is no operation; write vector, with its bytes");
        }
        WEIR_CHECK(amount("work.flops", phase.flops, work_max));
        WEIR_CHECK(amount("work.bytes", phase.bytes, work_max));
        WEIR_CHECK(within("work.dim", static_cast<std::int64_t>(phase.dim), 0, dim_max));
    }
    if (!spec.precision) return {};
    if (spec.precision->accept.empty()) {
        return fail(Code::invalid, "precision.accept: is empty; write [native]");
    }
    if (const auto& tolerance = spec.precision->tolerance) {
        WEIR_CHECK(one_line("precision.result.tolerance.metric", tolerance->metric, 128));
        WEIR_CHECK(amount("precision.result.tolerance", tolerance->value, 1e300));
    }
    return {};
}

Result<void> check_train(const JobSpec& spec) {
    if (!spec.train) return {};
    const Train& train = *spec.train;
    if (spec.array) {
        return fail(Code::invalid,
                    "array: each training job is given a size of its own; submit the members as "
                    "jobs of their own, or leave train out and say in gang how many chips");
    }
    WEIR_CHECK(one_line("train.model", train.model, 4096));
    if (train.config.size() > train_config_bytes_max) {
        return fail(Code::too_large,
                    fmt::format("train.model: its config.json has {} bytes; at most {} are valid",
                                train.config.size(),
                                train_config_bytes_max));
    }
    if (train.model.empty()) return fail(Code::invalid, "train.model: is empty; name a model");
    WEIR_CHECK(within("train.sequence", train.sequence, 0, 100'000'000));
    WEIR_CHECK(within("train.global_batch", train.global_batch, 0, 100'000'000));
    if (!(train.tokens >= 1 && train.tokens <= 1e18)) {
        return fail(
            Code::invalid,
            fmt::format("train.tokens: {} is out of range; valid are 1 to 1e18", train.tokens));
    }
    constexpr std::string_view precisions[] = {"fp8", "bf16", "fp16", "fp32"};
    constexpr std::string_view frameworks[] = {
        "megatron-lm", "deepspeed", "mindspeed", "torchtitan"};
    const auto one_of = [](std::string_view key, const std::string& word, const auto& valid) {
        if (std::find(std::begin(valid), std::end(valid), word) != std::end(valid))
            return Result<void>{};
        return Result<void>(
            fail(Code::invalid,
                 fmt::format("{}: '{}' is not one of {}", key, word, fmt::join(valid, ", "))));
    };
    WEIR_CHECK(one_of("train.precision", train.precision, precisions));
    WEIR_CHECK(one_of("train.framework", train.framework, frameworks));
    WEIR_CHECK(within("train.chips", train.chips.low, 1, train.chips.high));
    WEIR_CHECK(within("train.chips", train.chips.high, train.chips.low, train_chips_max));
    return {};
}

constexpr std::int64_t deadline_ms_max = 253'402'300'799'999;  // the last moment of 9999

Result<void> check_times(const JobSpec& spec) {
    if (spec.limit) {
        WEIR_CHECK(within("time.limit (ms)", spec.limit->count(), 1, duration_max.count()));
    }
    if (spec.expected) {
        WEIR_CHECK(within("time.expected (ms)", spec.expected->count(), 1, duration_max.count()));
        if (spec.limit && *spec.expected > *spec.limit) {
            return fail(Code::invalid,
                        fmt::format("time.expected: {} is longer than time.limit, {}: the job "
                                    "would be stopped before it ends",
                                    format_duration(*spec.expected),
                                    format_duration(*spec.limit)));
        }
    }
    if (spec.checkpoint) {
        const Checkpoint& checkpoint = *spec.checkpoint;
        WEIR_CHECK(
            within("checkpoint.every (ms)", checkpoint.every.count(), 1, duration_max.count()));
        WEIR_CHECK(
            within("checkpoint.cost (ms)", checkpoint.cost.count(), 0, duration_max.count()));
        WEIR_CHECK(within("checkpoint.signal", checkpoint.signal, 1, 64));
    }
    if (spec.deadline) {
        WEIR_CHECK(
            within("deadline (ms)", spec.deadline->time_since_epoch().count(), 0, deadline_ms_max));
    }
    return within("grace (ms)", spec.grace.count(), 0, 86'400'000);
}

Result<void> check_env(const std::map<std::string, std::string>& env) {
    constexpr std::size_t bytes_max = std::size_t{1} << 20;
    std::size_t bytes = 0;
    for (const auto& [name, value] : env) {
        bytes += name.size() + value.size();
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
            return fail(Code::invalid,
                        fmt::format("env: '{}' is not the name of a variable", name));
        }
        if (value.find('\0') != std::string::npos) {
            return fail(Code::invalid, fmt::format("env.{}: contains a NUL character", name));
        }
    }
    if (bytes > bytes_max) {
        return fail(Code::too_large, "env: has more than 1MiB of names and values");
    }
    return {};
}

// Each name once, and no path inside of another: a link would lead through another one.
Result<void> check_data(const JobSpec& spec) {
    constexpr std::size_t datasets_max = 1000;
    WEIR_CHECK(within("data.in (datasets)",
                      static_cast<std::int64_t>(spec.data_in.size()),
                      0,
                      std::int64_t{datasets_max}));
    WEIR_CHECK(within("data.out (datasets)",
                      static_cast<std::int64_t>(spec.data_out.size()),
                      0,
                      std::int64_t{datasets_max}));
    std::set<std::string> names;
    std::set<std::string> paths;
    const auto check_path = [&paths](const char* key, const std::string& path) -> Result<void> {
        WEIR_CHECK(named(key, path, test_path_below));
        if (paths.insert(path + "/").second) return {};
        return fail(Code::invalid, fmt::format("{}: '{}' is there twice", key, path));
    };
    for (const DataIn& in : spec.data_in) {
        WEIR_CHECK(named("data.in.dataset", in.dataset, test_dataset));
        if (!names.insert(in.dataset).second) {
            return fail(Code::invalid, fmt::format("data.in: '{}' is there twice", in.dataset));
        }
        if (!in.as.empty()) WEIR_CHECK(check_path("data.in.as", in.as));
    }
    for (const DataOut& out : spec.data_out) {
        WEIR_CHECK(named("data.out.dataset", out.dataset, test_dataset));
        if (!names.insert(out.dataset).second) {
            return fail(Code::invalid,
                        fmt::format("data.out: '{}' is read or made already; a dataset is made "
                                    "once, and by another name than what is read",
                                    out.dataset));
        }
        WEIR_CHECK(check_path("data.out.path", out.path));
        if (out.keep) {
            WEIR_CHECK(within("data.out.keep (ms)", out.keep->count(), 1, duration_max.count()));
        }
    }
    for (auto path = paths.begin(); path != paths.end(); ++path) {
        const auto next = std::next(path);
        if (next == paths.end() || next->compare(0, path->size(), *path) != 0) continue;
        return fail(Code::invalid,
                    fmt::format("data: '{}' is inside of '{}'; the paths of datasets lie beside "
                                "each other",
                                next->substr(0, next->size() - 1),
                                path->substr(0, path->size() - 1)));
    }
    return {};
}

}  // namespace

std::optional<std::string> test_job_name(std::string_view name) {
    if (auto wrong = schema::test_name(name)) return wrong;
    if (name.find_first_not_of("0123456789_") == std::string_view::npos) {
        return fmt::format("looks like the id of a job; write it with a letter, such as job-{}",
                           name);
    }
    return std::nullopt;
}

std::optional<std::string> test_tenant(std::string_view path) {
    if (path.size() > 512) return "must have at most 512 bytes";
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        if (schema::test_name(path.substr(begin, end - begin))) {
            return "must be names with '/' between, such as university/aero; none of them is "
                   "empty, "
                   "'.' or '..'";
        }
        begin = end + 1;
    }
    return std::nullopt;
}

std::optional<std::string> test_variable(std::string_view name) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    const bool good =
        !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
            return letter(c) || (c >= '0' && c <= '9');
        });
    if (!good) return "must have letters, digits and '_' only, and not begin with a digit";
    constexpr std::string_view own[] = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
    if (name.substr(0, 5) == "WEIR_" ||
        std::find(std::begin(own), std::end(own), name) != std::end(own)) {
        return "is set by weir itself; choose another name";
    }
    return std::nullopt;
}

std::optional<std::string> test_dataset(std::string_view name) {
    if (auto wrong = schema::test_name(name)) return wrong;
    if (name.front() == '.') return "must not begin with a dot";
    return std::nullopt;
}

std::optional<std::string> test_path_below(std::string_view path) {
    constexpr const char* valid = "must be a path below the working folder, such as data/era5";
    if (path.empty() || path.front() == '/' || path.size() > 1024) return valid;
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..") return valid;
        if (part.find('\0') != std::string_view::npos) return valid;
        begin = end + 1;
    }
    return std::nullopt;
}

std::vector<std::string> codes_of_nothing(std::string_view pattern) {
    std::vector<std::string> found;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') continue;
        // %4j: a width may stand between.
        const auto letter = pattern.find_first_not_of("0123456789", i + 1);
        if (letter == std::string_view::npos) break;
        // Of a letter beyond ASCII the first byte would be no text.
        const bool plain = static_cast<unsigned char>(pattern[letter]) < 0x80;
        const std::string code =
            plain ? fmt::format("%{}", pattern[letter]) : std::string("a lone %");
        const bool known =
            std::string_view("jJAartxuN%").find(pattern[letter]) != std::string_view::npos;
        i = letter;
        if (known || std::find(found.begin(), found.end(), code) != found.end()) continue;
        found.push_back(code);
    }
    return found;
}

Result<void> check_spec(const JobSpec& spec) {
    if (!spec.name.empty()) WEIR_CHECK(named("name", spec.name, test_job_name));
    WEIR_CHECK(one_line("tenant", spec.tenant, 512));
    if (spec.script.find_first_not_of(" \t\r\n") == std::string::npos) {
        return fail(Code::invalid, "run: is empty; write the command to run");
    }
    if (spec.script.size() > script_bytes_max) {
        return fail(
            Code::too_large,
            fmt::format(
                "run: has {} bytes; at most {} are valid", spec.script.size(), script_bytes_max));
    }
    if (spec.script.find('\0') != std::string::npos) {
        return fail(Code::invalid, "run: contains a NUL character");
    }
    WEIR_CHECK(check_gang(spec.gang));
    for (const std::string& chip : spec.chips_any_of) {
        WEIR_CHECK(named("chips.any_of", chip, schema::test_name));
    }
    for (const std::string& stack : spec.chips_stack) {
        WEIR_CHECK(named("chips.stack", stack, schema::test_name));
    }
    WEIR_CHECK(within("chips.memory (bytes)", spec.chips_memory.count, 0, std::int64_t{1} << 60));
    WEIR_CHECK(check_precision(spec));
    WEIR_CHECK(check_train(spec));
    for (const std::string& site : spec.sites) {
        WEIR_CHECK(named("sites", site, schema::test_name));
    }
    WEIR_CHECK(check_times(spec));
    WEIR_CHECK(check_data(spec));
    if (!spec.reservation.empty()) {
        WEIR_CHECK(named("reservation", spec.reservation, schema::test_name));
    }
    WEIR_CHECK(within("retries", spec.retries, 0, retries_max));
    for (const auto* references : {&spec.after, &spec.after_any, &spec.after_failure}) {
        for (const std::string& reference : *references) {
            WEIR_CHECK(named("after", reference, schema::test_name));
        }
    }
    if (spec.array) {
        const auto& indices = spec.array->indices;
        WEIR_CHECK(within(
            "array (members)", static_cast<std::int64_t>(indices.size()), 1, array_members_max));
        // Strictly ascending, so that a member is found by its index.
        if (std::adjacent_find(indices.begin(), indices.end(), std::greater_equal<>()) !=
            indices.end()) {
            return fail(Code::invalid, "array: the indices must ascend without repetition");
        }
        WEIR_CHECK(within("array (index)", indices.back(), 0, array_index_max));
    }
    WEIR_CHECK(check_env(spec.env));
    WEIR_CHECK(one_line("workdir", spec.workdir, 4096));
    if (!spec.workdir.empty() && spec.workdir.front() != '/') {
        return fail(Code::invalid,
                    fmt::format("workdir: '{}' is not an absolute path; begin it with '/', or "
                                "leave it out to run where the job is submitted",
                                spec.workdir));
    }
    WEIR_CHECK(one_line("stdout", spec.stdout_path, 4096));
    WEIR_CHECK(one_line("stderr", spec.stderr_path, 4096));
    WEIR_CHECK(
        within("output_limit (bytes)", spec.output_limit.count, 1024, std::int64_t{1} << 40));
    return one_line("comment", spec.comment, 4096);
}

}  // namespace weir::job
