#include "weir/api/submit_body.hpp"

#include <fmt/core.h>

#include <initializer_list>
#include <map>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "weir/base/digest.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/job_file.hpp"
#include "weir/job/job_json.hpp"
#include "weir/job/sbatch.hpp"

namespace weir::api {
namespace {

using Json = nlohmann::json;

constexpr int depth_max = 32;
constexpr std::size_t key_bytes_max = 200;
constexpr std::size_t user_bytes_max = 64;
constexpr std::size_t args_max = 10'000;
constexpr std::size_t environment_bytes_max = std::size_t{256} << 20;

// Refuses what the JSON library would take silently: deep nesting and repeated keys.
class Watch {
public:
    bool operator()(int depth, Json::parse_event_t event, Json& value) {
        if (depth > depth_max) return give_up(fmt::format("nested more than {} deep", depth_max));
        if (event == Json::parse_event_t::object_start) {
            keys_.emplace_back();
        } else if (event == Json::parse_event_t::object_end) {
            if (!keys_.empty()) keys_.pop_back();
        } else if (event == Json::parse_event_t::key && !keys_.empty()) {
            const auto& key = value.get_ref<const std::string&>();
            if (!keys_.back().insert(key).second) {
                return give_up(fmt::format("the key \"{}\" stands twice in one object", key));
            }
        }
        return true;
    }
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    bool give_up(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        return false;
    }
    std::vector<std::set<std::string>> keys_;
    std::string problem_;
};

// One object of the body and where it stands, for reading its keys.
class Reader {
public:
    Reader(const Json& object, std::string place) : object_(object), place_(std::move(place)) {}

    [[nodiscard]] Result<void> expect_only(std::initializer_list<std::string_view> known) const {
        std::string list;
        for (const std::string_view name : known) {
            list += (list.empty() ? "" : ", ") + std::string(name);
        }
        if (!object_.is_object()) {
            return fail(Code::invalid,
                        fmt::format("{}: expected an object with the keys {}", place_, list));
        }
        for (const auto& item : object_.items()) {
            bool found = false;
            for (const std::string_view name : known)
                found = found || name == item.key();
            if (!found) {
                return fail(
                    Code::invalid,
                    fmt::format("{}: unknown key \"{}\"; valid: {}", place_, item.key(), list));
            }
        }
        return {};
    }

    // "" when absent.
    [[nodiscard]] Result<std::string> text(const char* key, std::size_t bytes_max) const {
        const auto found = object_.find(key);
        if (found == object_.end()) return std::string{};
        if (!found->is_string()) return wrong(key, "text");
        const auto& value = found->get_ref<const std::string&>();
        if (value.size() > bytes_max) {
            return fail(Code::too_large,
                        fmt::format("{}.{}: {} bytes, at most {} are accepted",
                                    place_,
                                    key,
                                    value.size(),
                                    bytes_max));
        }
        return value;
    }

    // The same without control characters: names and paths.
    [[nodiscard]] Result<std::string> plain_text(const char* key, std::size_t bytes_max) const {
        WEIR_TRY(std::string value, text(key, bytes_max));
        for (const char c : value) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                return fail(Code::invalid,
                            fmt::format("{}.{}: contains a control character", place_, key));
            }
        }
        return value;
    }

    [[nodiscard]] Result<std::vector<std::string>> texts(const char* key) const {
        std::vector<std::string> values;
        const auto found = object_.find(key);
        if (found == object_.end()) return values;
        if (!found->is_array() || found->size() > args_max) return wrong(key, "a list of texts");
        for (const Json& value : *found) {
            if (!value.is_string()) return wrong(key, "a list of texts");
            values.push_back(value.get<std::string>());
        }
        return values;
    }

    [[nodiscard]] Result<std::map<std::string, std::string>> environment(const char* key) const {
        std::map<std::string, std::string> values;
        const auto found = object_.find(key);
        if (found == object_.end()) return values;
        if (!found->is_object()) return wrong(key, "an object of texts");
        for (const auto& item : found->items()) {
            const bool good_name = !item.key().empty() && item.key().find_first_of(std::string(
                                                              "=\0", 2)) == std::string::npos;
            if (!item.value().is_string() || !good_name) return wrong(key, "an object of texts");
            const auto& value = item.value().get_ref<const std::string&>();
            if (value.find('\0') != std::string::npos) return wrong(key, "free of zero bytes");
            values.emplace(item.key(), value);
        }
        return values;
    }

    [[nodiscard]] const std::string& place() const { return place_; }

private:
    [[nodiscard]] tl::unexpected<Error> wrong(const char* key, std::string_view expected) const {
        return fail(Code::invalid, fmt::format("{}.{}: must be {}", place_, key, expected));
    }
    const Json& object_;
    std::string place_;
};

// What all jobs of a body share.
struct Sender {
    std::string user;
    std::string workdir;
    std::map<std::string, std::string> env;
};

Result<Sender> sender_of(const Reader& body) {
    Sender sender;
    WEIR_TRY(sender.user, body.plain_text("user", user_bytes_max));
    WEIR_TRY(sender.workdir, body.plain_text("workdir", 4096));
    if (!sender.workdir.empty() && sender.workdir.front() != '/') {
        return fail(Code::invalid,
                    fmt::format("body.workdir: \"{}\" is not an absolute path", sender.workdir));
    }
    WEIR_TRY(sender.env, body.environment("env"));
    return sender;
}

// Same key and same digest is the same submission. Length before content, so that no two
// different sequences of texts run together.
void add_text(Digest& digest, std::string_view text) {
    digest.add(static_cast<std::uint64_t>(text.size()));
    digest.add(text);
}

struct Sent {
    hub::Submission submission;
    std::vector<std::string> notes;
};

Result<Sent> submission_of(const Json& json, std::size_t number, const Sender& sender) {
    const Reader job(json, fmt::format("jobs[{}]", number));
    WEIR_CHECK(job.expect_only({"format", "text", "spec", "source", "key", "args"}));
    WEIR_TRY(const std::string format, job.text("format", 16));
    WEIR_TRY(std::string source, job.plain_text("source", 4096));
    if (source.empty()) source = job.place();
    WEIR_TRY(const std::vector<std::string> args, job.texts("args"));
    WEIR_TRY(std::string key, job.plain_text("key", key_bytes_max));
    const bool as_value = format == "spec";
    if (format != "yaml" && format != "sbatch" && !as_value) {
        return fail(
            Code::invalid,
            fmt::format("{}.format: \"{}\"; valid: yaml, sbatch, spec", job.place(), format));
    }
    if (json.contains("text") == as_value || json.contains("spec") != as_value) {
        return fail(
            Code::invalid,
            fmt::format("{}: yaml and sbatch come as \"text\", spec as \"spec\"", job.place()));
    }
    if (!args.empty() && format != "sbatch") {
        return fail(Code::invalid,
                    fmt::format("{}.args: only an sbatch script takes arguments", job.place()));
    }
    WEIR_TRY(const std::string text,
             as_value ? Result<std::string>(json.at("spec").dump())
                      : job.text("text", std::size_t{1} << 24));
    Sent sent;
    sent.submission.user = sender.user;
    sent.submission.key = std::move(key);
    job::JobSpec& spec = sent.submission.spec;
    if (as_value) {
        auto read = job::spec_from_json(text);
        if (!read.has_value()) return fail(read.error().at(source));
        spec = std::move(*read);
        if (const auto bad = job::test_tenant(spec.tenant); bad && !spec.tenant.empty()) {
            return fail(Code::invalid,
                        fmt::format("{}: tenant: '{}' {}", source, spec.tenant, *bad));
        }
    } else {
        WEIR_TRY(job::ParsedJob parsed,
                 format == "yaml" ? job::read_job_text(text, source)
                                  : job::read_sbatch_text(text, source, args));
        spec = std::move(parsed.spec);
        sent.notes = std::move(parsed.notes);
    }
    if (spec.workdir.empty()) spec.workdir = sender.workdir;
    if (const auto read = job::read_train_config(spec, spec.workdir); !read) {
        return fail(read.error().at(source));
    }
    // What the job says itself wins over what its sender had in the environment.
    spec.env.insert(sender.env.begin(), sender.env.end());
    if (const auto sound = job::check_spec(spec); !sound.has_value()) {
        return fail(sound.error().at(source));
    }

    Digest digest;
    add_text(digest, format);
    add_text(digest, text);
    for (const std::string& argument : args)
        add_text(digest, argument);
    add_text(digest, sender.user);
    add_text(digest, sender.workdir);
    // Not the environment: a repeated submission from another shell is still the same job.
    sent.submission.body_digest = digest.hex();
    return sent;
}

}  // namespace

Result<SubmitBody> parse_submit_body(std::string_view json) {
    Watch watch;
    const Json body = Json::parse(
        json.begin(),
        json.end(),
        [&watch](int depth, Json::parse_event_t event, Json& value) {
            return watch(depth, event, value);
        },
        false);
    if (!watch.problem().empty()) {
        return fail(Code::invalid, fmt::format("body: {}", watch.problem()));
    }
    if (body.is_discarded()) {
        std::string where;
        try {
            const Json whole = Json::parse(json.begin(), json.end());
        } catch (const Json::parse_error& error) {
            where = fmt::format(" (at byte {})", error.byte);
        }
        return fail(Code::invalid,
                    fmt::format("body: not valid JSON{}; expected {{\"jobs\":[...]}}", where));
    }
    const Reader reader(body, "body");
    WEIR_CHECK(reader.expect_only({"jobs", "user", "workdir", "env"}));
    WEIR_TRY(const Sender sender, sender_of(reader));
    const auto jobs = body.find("jobs");
    if (jobs == body.end() || !jobs->is_array() || jobs->empty()) {
        return fail(Code::invalid, "body.jobs: must be a list with at least one job");
    }
    if (jobs->size() > jobs_per_request_max) {
        return fail(Code::too_large,
                    fmt::format("body.jobs: {} jobs, at most {} in one request",
                                jobs->size(),
                                jobs_per_request_max));
    }
    // Every job carries the environment, so a small body could ask for a great deal of memory.
    std::size_t environment_bytes = 0;
    for (const auto& [name, value] : sender.env)
        environment_bytes += name.size() + value.size();
    if (environment_bytes * jobs->size() > environment_bytes_max) {
        return fail(Code::too_large,
                    fmt::format("body.env: {} bytes for each of {} jobs are too much; send fewer "
                                "jobs or a smaller environment",
                                environment_bytes,
                                jobs->size()));
    }
    SubmitBody sent;
    sent.submissions.reserve(jobs->size());
    for (std::size_t i = 0; i < jobs->size(); ++i) {
        WEIR_TRY(Sent one, submission_of((*jobs)[i], i, sender));
        sent.submissions.push_back(std::move(one.submission));
        sent.notes.push_back(std::move(one.notes));
    }
    return sent;
}

}  // namespace weir::api
