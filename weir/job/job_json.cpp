#include "weir/job/job_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/job/array_text.hpp"
#include "weir/job/check_spec.hpp"

namespace weir::job {
namespace {

using Json = nlohmann::ordered_json;

// Reads the members of one object; remembers the first thing that is wrong, so that the code that
// reads stays a list of fields.
class Reader {
public:
    Reader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
        if (!json.is_object()) wrong("", "must be an object");
    }

    template <class Integer>
    void integer(const char* key, Integer& value) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_number_integer()) return wrong(key, "must be an integer");
        // Unsigned numbers above 2^63 would wrap.
        if (found->is_number_unsigned() && found->get<std::uint64_t>() > (std::uint64_t{1} << 62)) {
            return wrong(key, "is out of range");
        }
        const auto number = found->get<std::int64_t>();
        if (!std::in_range<Integer>(number)) return wrong(key, "is out of range");
        value = static_cast<Integer>(number);
    }
    void integer(const char* key, std::optional<std::int64_t>& value) {
        if (find(key) == nullptr) return;
        integer(key, value.emplace());
    }
    void number(const char* key, double& value) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_number()) return wrong(key, "must be a number");
        value = found->get<double>();
    }
    void duration(const char* key, Duration& value) {
        std::int64_t count = value.count();
        integer(key, count);
        value = Duration{count};
    }
    void duration(const char* key, std::optional<Duration>& value) {
        if (find(key) == nullptr) return;
        value = Duration{};
        duration(key, *value);
    }
    void time(const char* key, std::optional<Time>& value) {
        std::optional<Duration> since_epoch;
        duration(key, since_epoch);
        if (since_epoch) value = Time{*since_epoch};
    }
    void flag(const char* key, bool& value) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_boolean()) return wrong(key, "must be true or false");
        value = found->get<bool>();
    }
    void text(const char* key, std::string& value) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_string()) return wrong(key, "must be a text");
        value = found->get<std::string>();
    }
    void texts(const char* key, std::vector<std::string>& values) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_array()) return wrong(key, "must be a list of texts");
        for (const Json& item : *found) {
            if (!item.is_string()) return wrong(key, "must be a list of texts");
            values.push_back(item.get<std::string>());
        }
    }
    void texts(const char* key, std::map<std::string, std::string>& values) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_object()) return wrong(key, "must be an object of texts");
        for (const auto& [name, item] : found->items()) {
            if (!item.is_string()) return wrong(key, "must be an object of texts");
            values.emplace(name, item.get<std::string>());
        }
    }
    // A text that `parse` turns into a value, or none where it is not one of `valid`.
    template <class T, class Parse>
    void word(const char* key, T& value, Parse parse, const char* valid) {
        std::string name;
        text(key, name);
        if (!error_.empty() || find(key) == nullptr) return;
        const auto parsed = parse(name);
        if (!parsed) return wrong(key, fmt::format("'{}' is not one of {}", name, valid));
        value = *parsed;
    }
    // An object inside, or nothing.
    template <class Read>
    void object(const char* key, Read read) {
        const Json* found = find(key);
        if (found == nullptr || !error_.empty()) return;
        Reader inner(*found, path_ + key + ".");
        if (inner.error_.empty()) read(inner);
        inner.finish();
        error_ = inner.error_;
    }
    // A list of objects; each is read into a value of its own.
    template <class T, class Read>
    void objects(const char* key, std::vector<T>& values, Read read) {
        const Json* found = find(key);
        if (found == nullptr) return;
        if (!found->is_array()) return wrong(key, "must be a list of objects");
        for (const Json& item : *found) {
            Reader inner(item, fmt::format("{}{}[{}].", path_, key, values.size()));
            T& value = values.emplace_back();
            if (inner.error_.empty()) read(inner, value);
            inner.finish();
            error_ = inner.error_;
            if (!error_.empty()) return;
        }
    }
    // Every member must have been asked for.
    void finish() {
        if (!error_.empty()) return;
        for (const auto& [key, value] : json_.items()) {
            if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
                return wrong(key.substr(0, 60), "is not a key of a job");
            }
        }
    }
    [[nodiscard]] const std::string& error() const { return error_; }
    void wrong(const std::string& key, const std::string& what) {
        if (error_.empty()) error_ = fmt::format("{}{}: {}", path_, key, what);
    }

private:
    const Json* find(const char* key) {
        asked_.emplace_back(key);
        if (!error_.empty()) return nullptr;
        const auto found = json_.find(key);
        return found == json_.end() || found->is_null() ? nullptr : &*found;
    }

    const Json& json_;
    const std::string path_;
    std::string error_;
    std::vector<std::string> asked_;
};

void read_gang(Reader& json, Gang& gang) {
    json.integer("replicas", gang.replicas);
    json.integer("chips", gang.chips);
    json.integer("chip_permille", gang.chip_permille);
    json.integer("cpus_milli", gang.cpus_milli);
    json.integer("memory_bytes", gang.memory.count);
    json.word("within", gang.within, fleet::level_from_name, "node, rack, pod, pool, site");
    json.word("prefer", gang.prefer, fleet::level_from_name, "node, rack, pod, pool, site");
    json.flag("replace", gang.replace);
}

void read_array(Reader& json, JobSpec& spec) {
    std::string indices;
    Array array;
    json.text("indices", indices);
    json.integer("at_once_max", array.at_once_max);
    const auto parsed = parse_array(indices);
    if (!parsed.has_value()) return json.wrong("indices", parsed.error().message);
    array.indices = parsed->indices;
    spec.array = std::move(array);
}

void read_precision(Reader& json, Precision& precision) {
    const std::string formats = fmt::format("{}", fmt::join(catalog::format_names(), ", "));
    json.word("format", precision.format, catalog::format_from_name, formats.c_str());
    json.object("tolerance", [&](Reader& inner) {
        Tolerance& tolerance = precision.tolerance.emplace();
        inner.text("metric", tolerance.metric);
        inner.number("value", tolerance.value);
    });
    std::vector<std::string> accept;
    json.texts("accept", accept);
    if (!accept.empty()) precision.accept.clear();
    for (const std::string& word : accept) {
        const auto way = accept_from_text(word);
        if (!way) return json.wrong("accept", fmt::format("'{}' is no way to a precision", word));
        precision.accept.push_back(*way);
    }
    std::optional<std::int64_t> bits;
    json.integer("range_bits", bits);
    if (bits) {
        if (*bits < 0 || *bits > 2048) {
            return json.wrong("range_bits",
                              fmt::format("{} is not a whole number from 0 to 2048", *bits));
        }
        precision.range_bits = static_cast<std::uint32_t>(*bits);
    }
    json.word("specials", precision.specials, specials_from_name, "by_grade, ignore, required");
    json.word("reproducible",
              precision.reproducible,
              reproducible_from_name,
              "none, run_to_run, bitwise");
    json.word(
        "on_unsatisfied", precision.on_unsatisfied, unsatisfied_from_name, "wait, fail, degrade");
}

void read_phase(Reader& json, Phase& phase) {
    const std::string formats = fmt::format("{}", fmt::join(catalog::format_names(), ", "));
    json.text("name", phase.name);
    json.word("op", phase.op, catalog::op_from_name, "gemm, vector, spmv, fft, attention, other");
    json.number("flops", phase.flops);
    json.number("bytes", phase.bytes);
    json.integer("dim", phase.dim);
    json.word("format", phase.format, catalog::format_from_name, formats.c_str());
    json.word("storage", phase.storage, catalog::format_from_name, formats.c_str());
}

void read_planned(Reader& json, Planned& planned) {
    json.text("chip", planned.chip);
    json.text("how", planned.how);
    json.word("basis",
              planned.basis,
              catalog::basis_from_name,
              "measured, published, derived, vendor_peak, assumed");
    json.duration("time_ms", planned.time);
    json.flag("degraded", planned.degraded);
    json.texts("env", planned.env);
}

void read_train(Reader& json, Train& train) {
    std::string chips;
    json.text("model", train.model);
    json.text("config", train.config);
    json.integer("sequence", train.sequence);
    json.integer("global_batch", train.global_batch);
    json.number("tokens", train.tokens);
    json.text("precision", train.precision);
    json.text("chips", chips);
    json.text("framework", train.framework);
    const auto range = chip_range_from_text(chips);
    if (!range) return json.wrong("chips", fmt::format("'{}' {}", chips, range.error().message));
    train.chips = *range;
}

void read_size(Reader& json, TrainSize& size) {
    json.texts("pools", size.pools);
    json.text("chip", size.chip);
    json.integer("replicas", size.replicas);
    json.integer("chips", size.chips);
    json.duration("takes_ms", size.takes);
    json.duration("limit_ms", size.limit);
    json.number("step_s", size.step_s);
    json.number("step_low_s", size.step_low_s);
    json.number("step_high_s", size.step_high_s);
    json.number("mfu", size.mfu);
    json.text("plan", size.plan);
    json.texts("env", size.env);
}

Json json_of(const Train& train) {
    Json json{{"model", train.model}};
    if (!train.config.empty()) json["config"] = train.config;
    if (train.sequence > 0) json["sequence"] = train.sequence;
    if (train.global_batch > 0) json["global_batch"] = train.global_batch;
    json["tokens"] = train.tokens;
    json["precision"] = train.precision;
    json["chips"] = text_of(train.chips);
    json["framework"] = train.framework;
    return json;
}

Json json_of(const TrainSize& size) {
    return {{"pools", size.pools},
            {"chip", size.chip},
            {"replicas", size.replicas},
            {"chips", size.chips},
            {"takes_ms", size.takes.count()},
            {"limit_ms", size.limit.count()},
            {"step_s", size.step_s},
            {"step_low_s", size.step_low_s},
            {"step_high_s", size.step_high_s},
            {"mfu", size.mfu},
            {"plan", size.plan},
            {"env", size.env}};
}

Json json_of(const Precision& precision) {
    Json json{{"format", catalog::name_of(precision.format)}};
    if (const auto& tolerance = precision.tolerance) {
        json["tolerance"] = {{"metric", tolerance->metric}, {"value", tolerance->value}};
    }
    for (const Accept& way : precision.accept)
        json["accept"].push_back(accept_text(way));
    const Precision usual;
    if (precision.range_bits) json["range_bits"] = *precision.range_bits;
    if (precision.specials != usual.specials) json["specials"] = name_of(precision.specials);
    if (precision.reproducible != usual.reproducible) {
        json["reproducible"] = name_of(precision.reproducible);
    }
    if (precision.on_unsatisfied != usual.on_unsatisfied) {
        json["on_unsatisfied"] = name_of(precision.on_unsatisfied);
    }
    return json;
}

Json json_of(const Phase& phase) {
    Json json;
    if (!phase.name.empty()) json["name"] = phase.name;
    json["op"] = catalog::name_of(phase.op);
    json["flops"] = phase.flops;
    json["bytes"] = phase.bytes;
    if (phase.dim != 0) json["dim"] = phase.dim;
    if (phase.format) json["format"] = catalog::name_of(*phase.format);
    if (phase.storage) json["storage"] = catalog::name_of(*phase.storage);
    return json;
}

Json json_of(const Planned& planned) {
    Json json{
        {"chip", planned.chip}, {"how", planned.how}, {"basis", catalog::name_of(planned.basis)}};
    if (planned.time) json["time_ms"] = planned.time->count();
    if (planned.degraded) json["degraded"] = true;
    if (!planned.env.empty()) json["env"] = planned.env;
    return json;
}

void read_spec(Reader& json, JobSpec& spec) {
    json.text("name", spec.name);
    json.text("tenant", spec.tenant);
    json.text("script", spec.script);
    json.word("launch", spec.launch, launch_mode_from_name, "replicas, once");
    json.flag("batch_script", spec.batch_script);
    json.word("priority", spec.priority, priority_from_name, "low, normal, high, urgent");
    json.object("gang", [&](Reader& inner) { read_gang(inner, spec.gang); });
    json.texts("chips_any_of", spec.chips_any_of);
    json.texts("chips_stack", spec.chips_stack);
    json.integer("chips_memory_bytes", spec.chips_memory.count);
    json.object("precision",
                [&](Reader& inner) { read_precision(inner, spec.precision.emplace()); });
    json.objects("work", spec.work, read_phase);
    json.objects("planned", spec.planned, read_planned);
    json.object("train", [&](Reader& inner) { read_train(inner, spec.train.emplace()); });
    json.objects("sizes", spec.sizes, read_size);
    json.flag("gpus", spec.gpus);
    json.texts("sites", spec.sites);
    json.duration("limit_ms", spec.limit);
    json.duration("expected_ms", spec.expected);
    json.time("deadline_ms", spec.deadline);
    json.word("budget", spec.budget, parse_money, "500 CNY, 0.75 EUR");
    json.text("reservation", spec.reservation);
    json.integer("retries", spec.retries);
    json.object("checkpoint", [&](Reader& inner) {
        Checkpoint checkpoint;
        inner.duration("every_ms", checkpoint.every);
        inner.duration("cost_ms", checkpoint.cost);
        inner.integer("signal", checkpoint.signal);
        spec.checkpoint = checkpoint;
    });
    json.texts("after", spec.after);
    json.texts("after_any", spec.after_any);
    json.texts("after_failure", spec.after_failure);
    json.object("array", [&](Reader& inner) { read_array(inner, spec); });
    json.objects("data_in", spec.data_in, [](Reader& inner, DataIn& in) {
        inner.text("dataset", in.dataset);
        inner.text("as", in.as);
    });
    json.objects("data_out", spec.data_out, [](Reader& inner, DataOut& out) {
        inner.text("path", out.path);
        inner.text("dataset", out.dataset);
        inner.duration("keep_ms", out.keep);
    });
    json.texts("env", spec.env);
    json.text("workdir", spec.workdir);
    json.text("stdout_path", spec.stdout_path);
    json.text("stderr_path", spec.stderr_path);
    json.integer("output_limit_bytes", spec.output_limit.count);
    json.duration("grace_ms", spec.grace);
    json.text("comment", spec.comment);
    json.texts("not_honoured", spec.not_honoured);
}

}  // namespace

std::string spec_to_json(const JobSpec& spec) {
    const JobSpec standard;
    Json json;
    const auto put = [&json](const char* key, const auto& value, const auto& usual) {
        if (value != usual) json[key] = value;
    };
    put("name", spec.name, standard.name);
    put("tenant", spec.tenant, standard.tenant);
    json["script"] = spec.script;
    if (spec.launch != standard.launch) json["launch"] = name_of(spec.launch);
    put("batch_script", spec.batch_script, standard.batch_script);
    if (spec.priority != standard.priority) json["priority"] = name_of(spec.priority);
    Json gang;
    gang["replicas"] = spec.gang.replicas;
    gang["chips"] = spec.gang.chips;
    if (spec.gang.chip_permille != 0) gang["chip_permille"] = spec.gang.chip_permille;
    gang["cpus_milli"] = spec.gang.cpus_milli;
    gang["memory_bytes"] = spec.gang.memory.count;
    gang["within"] = fleet::name_of(spec.gang.within);
    if (spec.gang.prefer) gang["prefer"] = fleet::name_of(*spec.gang.prefer);
    if (spec.gang.replace) gang["replace"] = true;
    json["gang"] = std::move(gang);
    put("chips_any_of", spec.chips_any_of, standard.chips_any_of);
    put("chips_stack", spec.chips_stack, standard.chips_stack);
    put("chips_memory_bytes", spec.chips_memory.count, standard.chips_memory.count);
    if (spec.precision) json["precision"] = json_of(*spec.precision);
    for (const Phase& phase : spec.work)
        json["work"].push_back(json_of(phase));
    for (const Planned& planned : spec.planned)
        json["planned"].push_back(json_of(planned));
    if (spec.train) json["train"] = json_of(*spec.train);
    for (const TrainSize& size : spec.sizes)
        json["sizes"].push_back(json_of(size));
    put("gpus", spec.gpus, standard.gpus);
    put("sites", spec.sites, standard.sites);
    if (spec.limit) json["limit_ms"] = spec.limit->count();
    if (spec.expected) json["expected_ms"] = spec.expected->count();
    if (spec.deadline) json["deadline_ms"] = spec.deadline->time_since_epoch().count();
    if (spec.budget) json["budget"] = format_money(*spec.budget);
    put("reservation", spec.reservation, standard.reservation);
    put("retries", spec.retries, standard.retries);
    if (spec.checkpoint) {
        json["checkpoint"] = {{"every_ms", spec.checkpoint->every.count()},
                              {"cost_ms", spec.checkpoint->cost.count()},
                              {"signal", spec.checkpoint->signal}};
    }
    put("after", spec.after, standard.after);
    put("after_any", spec.after_any, standard.after_any);
    put("after_failure", spec.after_failure, standard.after_failure);
    if (spec.array) {
        json["array"] = {{"indices", array_text({spec.array->indices, 0})},
                         {"at_once_max", spec.array->at_once_max}};
    }
    for (const DataIn& in : spec.data_in) {
        Json& written = json["data_in"].emplace_back(Json{{"dataset", in.dataset}});
        if (!in.as.empty()) written["as"] = in.as;
    }
    for (const DataOut& out : spec.data_out) {
        Json& written =
            json["data_out"].emplace_back(Json{{"path", out.path}, {"dataset", out.dataset}});
        if (out.keep) written["keep_ms"] = out.keep->count();
    }
    put("env", spec.env, standard.env);
    put("workdir", spec.workdir, standard.workdir);
    put("stdout_path", spec.stdout_path, standard.stdout_path);
    put("stderr_path", spec.stderr_path, standard.stderr_path);
    put("output_limit_bytes", spec.output_limit.count, standard.output_limit.count);
    put("grace_ms", spec.grace.count(), standard.grace.count());
    put("comment", spec.comment, standard.comment);
    put("not_honoured", spec.not_honoured, standard.not_honoured);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<JobSpec> spec_from_json(std::string_view text) {
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (json.is_discarded()) return fail(Code::invalid, "the job is no valid JSON");
    JobSpec spec;
    Reader reader(json, "");
    if (reader.error().empty()) read_spec(reader, spec);
    reader.finish();
    if (!reader.error().empty()) return fail(Code::invalid, reader.error());
    WEIR_CHECK(check_spec(spec));
    return spec;
}

}  // namespace weir::job
