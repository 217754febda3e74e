#include "weir/job/job_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/schema.hpp"
#include "weir/job/array_text.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/launch.hpp"
#include "weir/job/schema.hpp"

namespace weir::job {
namespace {

using schema::Problems;
using schema::View;

void read_gang(const View& view, Gang& gang) {
    if (const auto replicas = view.integer("replicas")) {
        gang.replicas = static_cast<std::uint32_t>(*replicas);
    }
    if (const auto chips = view.text("chips")) {
        const std::uint32_t permille = chips_permille(*chips).value_or(0);
        gang.chips = permille / 1000;
        gang.chip_permille = permille % 1000;
    }
    if (const auto cpus = view.number("cpus")) {
        gang.cpus_milli = static_cast<std::uint32_t>(std::llround(*cpus * 1000));
    }
    gang.memory = view.bytes("memory").value_or(gang.memory);
    if (const auto within = view.text("within")) {
        gang.within = fleet::level_from_name(*within).value_or(gang.within);
    }
    if (const auto prefer = view.text("prefer")) gang.prefer = fleet::level_from_name(*prefer);
    gang.replace = view.text("replace") == "true";
}

// [1, 2, 5] says the same as "1,2,5".
std::string indices_text(const yaml::Node& node) {
    std::string text = node.text;
    for (const yaml::Node& index : node.items)
        text += (text.empty() ? "" : ",") + index.text;
    return text;
}

// What a training job leaves to the planner, nobody else may say.
void check_train(const View& view, const JobSpec& spec, Problems& problems) {
    if (const auto gang = view.object("gang")) {
        for (const char* key : {"replicas", "chips"}) {
            if (gang->node(key) == nullptr) continue;
            problems.add(gang->place(key),
                         fmt::format("gang.{}", key),
                         fmt::format("a training job says in train.chips on how many chips it may "
                                     "run; leave {} out",
                                     key));
        }
    }
    if (view.node("work") != nullptr) {
        problems.add(view.place("work"),
                     "work",
                     "what a training job computes follows from train; leave work out");
    }
    if (spec.expected && spec.train->chips.low != spec.train->chips.high) {
        problems.add(view.object("time")->place("expected"),
                     "time.expected",
                     fmt::format("with {} chips it takes another time than with {}, and both are "
                                 "predicted; leave expected out",
                                 spec.train->chips.low,
                                 spec.train->chips.high));
    }
}

// What no table can say: keys that need or exclude each other, quantities that must not be zero.
void check_whole(const View& view, const JobSpec& spec, Problems& problems) {
    const bool run = view.node("run") != nullptr;
    const bool script = view.node("script") != nullptr;
    if (run == script) {
        problems.add(
            view.place(run ? "script" : ""),
            "",
            run ? "run and script exclude each other; keep one of them"
                : "says nothing to run; write run: COMMAND, or script: with several lines");
    } else if (spec.script.find_first_not_of(" \t\r\n") == std::string::npos) {
        problems.add(view.place(run ? "run" : "script"),
                     run ? "run" : "script",
                     "is empty; write the command to run");
    }
    const auto positive = [&problems](const std::optional<View>& where,
                                      std::string_view object,
                                      std::string_view key) {
        if (!where) return;
        const auto value = where->duration(key);
        if (!value || (*value > Duration{0} && *value <= duration_max)) return;
        problems.add(where->place(key),
                     fmt::format("{}.{}", object, key),
                     fmt::format("{} is out of range; valid are durations over 0s and up to 10y",
                                 format_duration(*value)));
    };
    const auto time = view.object("time");
    positive(time, "time", "limit");
    positive(time, "time", "expected");
    positive(view.object("checkpoint"), "checkpoint", "every");
    if (spec.limit && spec.expected && *spec.expected > *spec.limit) {
        problems.add(time->place("expected"),
                     "time.expected",
                     fmt::format("{} is longer than the limit, {}: the job would be stopped "
                                 "before it ends",
                                 format_duration(*spec.expected),
                                 format_duration(*spec.limit)));
    }
    if (spec.gang.prefer && *spec.gang.prefer > spec.gang.within) {
        problems.add(view.object("gang")->place("prefer"),
                     "gang.prefer",
                     fmt::format("{} is wider than within, {}, which is required anyway",
                                 fleet::name_of(*spec.gang.prefer),
                                 fleet::name_of(spec.gang.within)));
    }
    if (const auto limit = view.bytes("output_limit"); limit && limit->count < 1024) {
        problems.add(
            view.place("output_limit"),
            "output_limit",
            fmt::format("{} is out of range; valid are 1KiB and more", format_bytes(*limit)));
    }
    if (const yaml::Node* array = view.node("array"); array != nullptr && !spec.array) {
        problems.add(array->place,
                     "array",
                     array->items.empty() ? "has no members; write 0-99, or [1, 3, 5]"
                                          : parse_array(indices_text(*array)).error().message);
    }
    if (spec.train) check_train(view, spec, problems);
    for (const char* key : {"after", "after_any", "after_failure"}) {
        for (const std::string& reference : view.texts(key)) {
            if (reference != spec.name || spec.name.empty()) continue;
            problems.add(view.place(key), key, fmt::format("'{}' is this job itself", reference));
        }
    }
}

std::optional<catalog::Format> format_in(const View& view, std::string_view key) {
    const auto name = view.text(key);
    return name ? catalog::format_from_name(*name) : std::nullopt;
}

Precision precision_of(const View& view) {
    Precision precision;
    const View result = *view.object("result");
    precision.format = *format_in(result, "format");
    if (const yaml::Node* tolerance = result.node("tolerance")) {
        Tolerance& made = precision.tolerance.emplace();
        if (tolerance->kind == yaml::Kind::map) {
            const View its(*tolerance);
            made.metric = its.text("metric").value_or("");
            made.value = its.number("value").value_or(0);
        } else {
            made.value = result.number("tolerance").value_or(0);
        }
    }
    const std::vector<std::string> accept = view.texts("accept");
    if (!accept.empty()) precision.accept.clear();
    for (const std::string& way : accept)
        precision.accept.push_back(*accept_from_text(way));
    if (const auto bits = view.integer("range_bits")) {
        precision.range_bits = static_cast<std::uint32_t>(*bits);
    }
    if (const auto word = view.text("specials")) precision.specials = *specials_from_name(*word);
    if (const auto word = view.text("reproducible")) {
        precision.reproducible = *reproducible_from_name(*word);
    }
    if (const auto word = view.text("on_unsatisfied")) {
        precision.on_unsatisfied = *unsatisfied_from_name(*word);
    }
    return precision;
}

Phase phase_of(const View& view) {
    Phase phase;
    phase.name = view.text("name").value_or("");
    phase.op = *catalog::op_from_name(*view.text("op"));
    phase.flops = view.number("flops").value_or(0);
    phase.bytes = view.number("bytes").value_or(0);
    phase.dim = static_cast<std::uint64_t>(view.integer("dim").value_or(0));
    phase.format = format_in(view, "format");
    phase.storage = format_in(view, "storage");
    return phase;
}

Train train_of(const View& view) {
    Train train;
    train.model = view.text("model").value_or("");
    train.sequence = static_cast<std::uint32_t>(view.integer("sequence").value_or(0));
    train.global_batch = static_cast<std::uint32_t>(view.integer("global_batch").value_or(0));
    train.tokens = view.number("tokens").value_or(0);
    train.precision = view.text("precision").value_or(train.precision);
    train.chips = chip_range_from_text(view.text("chips").value_or("")).value_or(ChipRange{});
    train.framework = view.text("framework").value_or(train.framework);
    return train;
}

JobSpec spec_of(const View& view, std::string_view source) {
    JobSpec spec;
    spec.name = view.text("name").value_or(name_from_source(source));
    spec.tenant = view.text("tenant").value_or("");
    spec.script = view.text("run").value_or(view.text("script").value_or(""));
    spec.launch = launch_mode_for(spec.script);
    if (const auto launch = view.text("launch")) spec.launch = *launch_mode_from_name(*launch);
    if (const auto priority = view.text("priority")) {
        spec.priority = *priority_from_name(*priority);
    }
    if (const auto gang = view.object("gang")) read_gang(*gang, spec.gang);
    if (const auto chips = view.object("chips")) {
        spec.chips_any_of = chips->texts("any_of");
        spec.chips_stack = chips->texts("stack");
        spec.chips_memory = chips->bytes("memory").value_or(Bytes{});
    }
    if (const auto precision = view.object("precision")) spec.precision = precision_of(*precision);
    for (const View& phase : view.objects("work"))
        spec.work.push_back(phase_of(phase));
    if (const auto train = view.object("train")) spec.train = train_of(*train);
    spec.sites = view.texts("sites");
    if (const auto time = view.object("time")) {
        spec.limit = time->duration("limit");
        spec.expected = time->duration("expected");
    }
    if (const auto deadline = view.text("deadline")) {
        if (const auto at = parse_time(*deadline)) spec.deadline = *at;
    }
    if (const auto budget = view.text("budget")) {
        if (const auto amount = parse_money(*budget)) spec.budget = *amount;
    }
    spec.reservation = view.text("reservation").value_or("");
    spec.retries = static_cast<std::uint32_t>(view.integer("retries").value_or(0));
    if (const auto checkpoint = view.object("checkpoint")) {
        Checkpoint& made = spec.checkpoint.emplace();
        made.every = checkpoint->duration("every").value_or(made.every);
        made.cost = checkpoint->duration("cost").value_or(made.cost);
        if (const auto signal = checkpoint->text("signal")) {
            made.signal = *signal_from_name(*signal);
        }
    }
    spec.after = view.texts("after");
    spec.after_any = view.texts("after_any");
    spec.after_failure = view.texts("after_failure");
    if (const yaml::Node* array = view.node("array")) {
        if (const auto parsed = parse_array(indices_text(*array))) spec.array = *parsed;
    }
    if (const auto data = view.object("data")) {
        for (const View& in : data->objects("in"))
            spec.data_in.push_back({*in.text("dataset"), in.text("as").value_or("")});
        for (const View& out : data->objects("out"))
            spec.data_out.push_back(
                {*out.text("path"), *out.text("dataset"), out.duration("keep")});
    }
    if (const yaml::Node* env = view.node("env")) {
        for (std::size_t i = 0; i < env->keys.size(); ++i) {
            spec.env.emplace(env->keys[i].text, env->items[i].text);
        }
    }
    spec.workdir = view.text("workdir").value_or("");
    spec.stdout_path = view.text("stdout").value_or("");
    spec.stderr_path = view.text("stderr").value_or("");
    spec.output_limit = view.bytes("output_limit").value_or(spec.output_limit);
    spec.grace = view.duration("grace").value_or(spec.grace);
    spec.comment = view.text("comment").value_or("");
    return spec;
}

std::string bytes_text(Bytes bytes) {
    return fmt::format("{}B", bytes.count);
}
std::string duration_text(Duration duration) {
    return fmt::format("{}ms", duration.count());
}

yaml::Node leaf(std::string text) {
    yaml::Node node;
    node.quoted = true;
    node.text = std::move(text);
    return node;
}

yaml::Node list(const std::vector<std::string>& texts) {
    yaml::Node node;
    node.kind = yaml::Kind::sequence;
    for (const std::string& text : texts)
        node.items.push_back(leaf(text));
    return node;
}

// A map that is written key by key.
struct Writer {
    yaml::Node node;
    Writer() { node.kind = yaml::Kind::map; }
    void put(std::string key, yaml::Node value) {
        node.keys.push_back({std::move(key), {}});
        node.items.push_back(std::move(value));
    }
    void put(std::string key, std::string text) { put(std::move(key), leaf(std::move(text))); }
    void put_unless_empty(const std::string& key, const std::string& text) {
        if (!text.empty()) put(key, text);
    }
    void put_unless_empty(const std::string& key, const std::vector<std::string>& texts) {
        if (!texts.empty()) put(key, list(texts));
    }
};

yaml::Node node_of(const Precision& precision) {
    Writer result;
    result.put("format", std::string(catalog::name_of(precision.format)));
    if (const auto& tolerance = precision.tolerance) {
        const std::string value = fmt::format("{}", tolerance->value);
        Writer metric;
        metric.put("metric", tolerance->metric);
        metric.put("value", value);
        const bool is_short = tolerance->metric.empty() && tolerance->value <= 1;
        result.put("tolerance", is_short ? leaf(value) : metric.node);
    }
    Writer out;
    out.put("result", std::move(result.node));
    std::vector<std::string> accept;
    for (const Accept& way : precision.accept)
        accept.push_back(accept_text(way));
    out.put("accept", list(accept));
    if (precision.range_bits) out.put("range_bits", std::to_string(*precision.range_bits));
    if (precision.specials != Specials::by_grade) {
        out.put("specials", std::string(name_of(precision.specials)));
    }
    out.put("reproducible", std::string(name_of(precision.reproducible)));
    out.put("on_unsatisfied", std::string(name_of(precision.on_unsatisfied)));
    return std::move(out.node);
}

template <class Items, class Print>
yaml::Node list_of(const Items& items, Print print) {
    yaml::Node node;
    node.kind = yaml::Kind::sequence;
    for (const auto& item : items)
        node.items.push_back(print(item));
    return node;
}

yaml::Node node_of(const DataIn& in) {
    Writer out;
    out.put("dataset", in.dataset);
    out.put_unless_empty("as", in.as);
    return std::move(out.node);
}

yaml::Node node_of(const DataOut& made) {
    Writer out;
    out.put("path", made.path);
    out.put("dataset", made.dataset);
    if (made.keep) out.put("keep", duration_text(*made.keep));
    return std::move(out.node);
}

yaml::Node node_of(const Phase& phase) {
    Writer out;
    out.put_unless_empty("name", phase.name);
    out.put("op", std::string(catalog::name_of(phase.op)));
    out.put("flops", fmt::format("{}", phase.flops));
    out.put("bytes", fmt::format("{}", phase.bytes));
    if (phase.dim > 0) out.put("dim", std::to_string(phase.dim));
    if (phase.format) out.put("format", std::string(catalog::name_of(*phase.format)));
    if (phase.storage) out.put("storage", std::string(catalog::name_of(*phase.storage)));
    return std::move(out.node);
}

yaml::Node node_of(const Train& train) {
    Writer out;
    out.put("model", train.model);
    if (train.sequence > 0) out.put("sequence", std::to_string(train.sequence));
    if (train.global_batch > 0) out.put("global_batch", std::to_string(train.global_batch));
    out.put("tokens", fmt::format("{}", train.tokens));
    out.put("precision", train.precision);
    out.put("chips", text_of(train.chips));
    out.put("framework", train.framework);
    return std::move(out.node);
}

}  // namespace

std::string name_from_source(std::string_view source) {
    const auto slash = source.rfind('/');
    std::string_view stem = slash == std::string_view::npos ? source : source.substr(slash + 1);
    const auto dot = stem.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return "";  // "-", "jobs[0]": no file
    stem = stem.substr(0, dot);
    return test_job_name(stem) ? "" : std::string(stem);
}

Result<ParsedJob> read_job_text(std::string_view text, std::string_view source) {
    WEIR_TRY(const yaml::Node tree, yaml::parse(text, source, yaml::job_limits));
    WEIR_CHECK(schema::check(job_schema(), tree, source));
    const View view(tree);
    ParsedJob parsed;
    parsed.spec = spec_of(view, source);
    Problems problems(source);
    check_whole(view, parsed.spec, problems);
    WEIR_CHECK(problems.result());
    if (const auto sound = check_spec(parsed.spec); !sound.has_value()) {
        return fail(sound.error().at(source));
    }
    parsed.spec.not_honoured = schema::checked_only(job_schema(), tree);
    for (const std::string& key : parsed.spec.not_honoured) {
        parsed.notes.push_back(
            fmt::format("`{}` is checked but not honoured by this version, so a hub does "
                        "not accept the job with it",
                        key));
    }
    const auto tell_codes = [&parsed](const char* key, const std::string& pattern) {
        for (const std::string& code : codes_of_nothing(pattern)) {
            parsed.notes.push_back(
                fmt::format("`{}`: {} stays as it is in {}", key, code, pattern));
        }
    };
    tell_codes("stdout", parsed.spec.stdout_path);
    tell_codes("stderr", parsed.spec.stderr_path);
    return parsed;
}

std::string print_job(const JobSpec& spec) {
    Writer job;
    job.put_unless_empty("name", spec.name);
    job.put_unless_empty("tenant", spec.tenant);
    job.put("script", spec.script);
    job.put("launch", std::string(name_of(spec.launch)));
    job.put("priority", std::string(name_of(spec.priority)));
    const Gang& asked = spec.gang;
    Writer gang;
    if (!spec.train) {
        gang.put("replicas", std::to_string(asked.replicas));
        gang.put("chips",
                 asked.chip_permille > 0 ? fmt::format("0.{:03}", asked.chip_permille)
                                         : std::to_string(asked.chips));
    }
    gang.put("cpus", fmt::format("{}.{:03}", asked.cpus_milli / 1000, asked.cpus_milli % 1000));
    gang.put("memory", bytes_text(asked.memory));
    gang.put("within", std::string(fleet::name_of(asked.within)));
    if (asked.prefer) gang.put("prefer", std::string(fleet::name_of(*asked.prefer)));
    if (asked.replace) gang.put("replace", "true");
    job.put("gang", std::move(gang.node));
    Writer chips;
    chips.put_unless_empty("any_of", spec.chips_any_of);
    chips.put_unless_empty("stack", spec.chips_stack);
    if (spec.chips_memory.count > 0) chips.put("memory", bytes_text(spec.chips_memory));
    if (!chips.node.keys.empty()) job.put("chips", std::move(chips.node));
    if (spec.precision) job.put("precision", node_of(*spec.precision));
    if (!spec.work.empty()) {
        job.put("work", list_of(spec.work, [](const Phase& phase) { return node_of(phase); }));
    }
    if (spec.train) job.put("train", node_of(*spec.train));
    job.put_unless_empty("sites", spec.sites);
    if (spec.limit || spec.expected) {
        Writer time;
        if (spec.limit) time.put("limit", duration_text(*spec.limit));
        if (spec.expected) time.put("expected", duration_text(*spec.expected));
        job.put("time", std::move(time.node));
    }
    if (spec.deadline) job.put("deadline", format_time(*spec.deadline));
    if (spec.budget) job.put("budget", format_money(*spec.budget));
    job.put_unless_empty("reservation", spec.reservation);
    job.put("retries", std::to_string(spec.retries));
    if (spec.checkpoint) {
        Writer checkpoint;
        checkpoint.put("every", duration_text(spec.checkpoint->every));
        checkpoint.put("cost", duration_text(spec.checkpoint->cost));
        checkpoint.put("signal", std::to_string(spec.checkpoint->signal));
        job.put("checkpoint", std::move(checkpoint.node));
    }
    job.put_unless_empty("after", spec.after);
    job.put_unless_empty("after_any", spec.after_any);
    job.put_unless_empty("after_failure", spec.after_failure);
    if (spec.array) job.put("array", array_text(*spec.array));
    if (!spec.data_in.empty() || !spec.data_out.empty()) {
        Writer data;
        const auto print = [](const auto& item) { return node_of(item); };
        if (!spec.data_in.empty()) data.put("in", list_of(spec.data_in, print));
        if (!spec.data_out.empty()) data.put("out", list_of(spec.data_out, print));
        job.put("data", std::move(data.node));
    }
    if (!spec.env.empty()) {
        Writer env;
        for (const auto& [name, value] : spec.env)
            env.put(name, value);
        job.put("env", std::move(env.node));
    }
    job.put_unless_empty("workdir", spec.workdir);
    job.put_unless_empty("stdout", spec.stdout_path);
    job.put_unless_empty("stderr", spec.stderr_path);
    job.put("output_limit", bytes_text(spec.output_limit));
    job.put("grace", duration_text(spec.grace));
    job.put_unless_empty("comment", spec.comment);
    return yaml::print(job.node);
}

}  // namespace weir::job
