// HubLink: a hub, as the commands see it.
//
// Each function is one request of the HTTP API (docs: weir/api) and answers both the decoded values
// and the JSON as it came, which is what --json prints. This is the only place of the room that
// decodes JSON. A hub that cannot be reached is Code::unavailable with one sentence that says
// where it was looked for.
//
// Threads: one at a time; each thread makes a link of its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/job/train.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::api {
class Client;
}

namespace weir::cli {

// --hub when given, else $WEIR_HUB, else http://127.0.0.1:8421.
std::string hub_url(const std::string& given);

struct TaskInfo {
    std::uint32_t rank = 0;
    std::string node;
    std::string stdout_path;
    std::string stderr_path;
};

struct AttemptInfo {
    std::uint32_t number = 1;
    std::optional<std::int64_t> started_at_ms;
    std::optional<std::int64_t> ended_at_ms;
    std::string kind;  // "" while it runs
    int exit_code = 0;
    int signal = 0;
    std::string stopped_for;  // "stopped for job 12 (mesh)"; "" = it was not
    std::string detail;
    std::int64_t max_rss_bytes = 0;
    std::int64_t cpu_ms = 0;
    bool output_cut = false;
    std::vector<TaskInfo> tasks;
};

struct JobInfo {
    std::string id;
    std::optional<std::uint32_t> array_index;
    std::string name;
    std::string tenant;
    std::string organisation;  // "" = there are none
    std::string user;
    std::string state;
    std::string reason;
    std::string priority;
    std::uint32_t replicas = 1;
    double chips = 0;
    double cpus = 0;
    std::int64_t memory_bytes = 0;
    std::optional<std::int64_t> submitted_at_ms;
    std::optional<std::int64_t> started_at_ms;
    std::optional<std::int64_t> ended_at_ms;
    std::optional<std::int64_t> starts_at_ms;
    bool starts_promised = false;
    std::optional<std::int64_t> limit_ms;
    std::optional<std::int64_t> deadline_at_ms;
    std::string reservation;
    std::vector<std::string> nodes;
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::optional<std::int64_t> max_rss_bytes;
    std::optional<std::int64_t> cpu_ms;
    std::string workdir;
    std::string spec;                   // JSON; only with detail
    std::vector<AttemptInfo> attempts;  // only with detail
    struct Planned {
        std::string chip;
        std::string how;
        std::string basis;
        std::optional<std::int64_t> time_ms;
        bool degraded = false;
        std::map<std::string, std::string> env{};
    };
    std::vector<Planned> planned;  // only with detail: by kind of chip, in order of preference
    // Of a training job, only with detail: the size in which it runs, ran or waits, and how many
    // there are.
    std::optional<job::TrainSize> size;
    std::size_t sizes = 0;

    [[nodiscard]] bool is_final() const;
};

// How far an array has come; a job is an array of one.
struct CountsInfo {
    std::string id;
    std::uint64_t members = 0;
    std::uint64_t ended = 0;
    std::map<std::string, std::uint64_t> states;  // those that occur
    std::string first_failed;                     // id; "" = none

    [[nodiscard]] bool has_ended() const { return ended == members; }
    [[nodiscard]] bool has_succeeded() const {
        return has_ended() && states.size() == 1 && states.count("succeeded") == 1;
    }
    friend bool operator==(const CountsInfo&, const CountsInfo&) = default;
};

struct SubmittedInfo {
    std::string id;
    std::uint32_t count = 1;
    bool repeated = false;
    std::vector<std::string> notes;
};

// One job of a submission: a text as the user wrote it.
struct JobText {
    std::string format;  // yaml | sbatch
    std::string text;
    std::string source;  // path, for errors
    std::string key;
    std::vector<std::string> args;
};

struct SubmitRequest {
    std::vector<JobText> jobs;
    std::string user;
    std::string workdir;
    std::map<std::string, std::string> env;
};

struct ExplainInfo {
    std::string id;
    std::string state;
    std::string sentence;
    std::string cause;
    std::uint64_t ahead = 0;
    std::optional<std::int64_t> starts_at_ms;
    bool starts_promised = false;
    std::vector<std::string> details;
    std::vector<std::string> would_help;
};

struct RateInfo {
    std::string name;
    double value = 0;
    std::string unit;
    std::string basis;
};

struct PoolInfo {
    std::string site;
    std::string name;
    std::string chip;
    std::uint64_t nodes = 0;
    std::uint64_t nodes_up = 0;
    std::uint64_t nodes_idle = 0;
    double chips_total = 0;
    double chips_free = 0;
    double cpus_total = 0;
    double cpus_free = 0;
    std::int64_t memory_total_bytes = 0;
    std::int64_t memory_free_bytes = 0;
    std::uint64_t jobs_running = 0;
    std::vector<std::pair<std::string, std::string>> drained;  // node, reason
    std::vector<RateInfo> rates;
};

struct ReservationInfo {
    std::string name;
    std::string tenant;
    bool maintenance = false;
    std::int64_t from_at_ms = 0;
    std::int64_t until_at_ms = 0;
    std::uint64_t count = 0;  // of nodes
    std::string nodes;        // "box-0 to box-3, box-7"
    std::vector<std::string> running;
    std::uint64_t waiting = 0;
};

struct ReserveRequest {
    std::string name;
    std::string pool;
    std::uint64_t nodes = 0;
    std::vector<std::string> node_names;
    std::optional<std::int64_t> from_at_ms;
    std::int64_t duration_ms = 0;
    std::string tenant;
    bool maintenance = false;
};

// An organisation and all below it, in one resource.
struct TenantAmountInfo {
    std::string resource;
    std::string unit;  // chips | cpus | FLOP/s | OP/s
    double owns = 0;
    double uses = 0;
    double borrows = 0;
    double lends = 0;
    double may_have = 0;
};

struct DatasetInfo {
    struct Place {
        std::string site;
        std::string state;  // there | coming
        std::string from;
        std::optional<std::int64_t> expected_at_ms;
        std::string trouble;
    };
    std::string name;
    std::int64_t size_bytes = 0;
    std::vector<Place> places;
    std::string made_by;  // "" = it was there
    std::optional<std::int64_t> keep_until_ms;
};

struct TenantInfo {
    std::string path;  // "" = the centre itself
    double weight = 1;
    std::optional<double> share;
    std::optional<std::uint64_t> rank;
    std::uint64_t running = 0;
    std::uint64_t waiting = 0;
    std::vector<TenantAmountInfo> resources;
    std::vector<std::string> loans_given;  // names of those in force
    std::vector<std::string> loans_taken;
};

struct LoanInfo {
    std::string name;
    std::string lender;
    std::string borrower;
    std::vector<TenantAmountInfo> amounts;  // in `owns`
    std::string state;
    std::int64_t starts_at_ms = 0;
    std::int64_t ends_at_ms = 0;
    std::optional<std::int64_t> deadline_at_ms;
    std::int64_t notice_ms = 0;
    std::string price;
    std::string reason;  // why it was broken
};
// What is offered; money as text, "" = none.
struct LoanRequest {
    std::string name;
    std::string lender;
    std::string borrower;
    std::map<std::string, std::string> chips;
    std::int64_t starts_at_ms = 0;
    std::int64_t ends_at_ms = 0;
    std::int64_t notice_ms = 0;
    std::string price;
    std::string early_recall;
    std::string penalty;
};

struct PowerInfo {
    std::string domain;
    std::optional<double> draw_watts;
    std::optional<double> budget_watts;
    std::string note;
};

struct CheckInfo {
    std::string name;
    std::string state;  // ok | warn | fail
    std::string detail;
};

struct StatusInfo {
    std::string version;
    std::string policy;          // in force
    std::string pending_change;  // a sentence: what was asked for and is not in force yet; "" = all
    std::vector<std::string> over_power;  // sentences: who draws more than it may
    std::string digest;
    std::string data_dir;
    std::uint64_t pending = 0;
    std::uint64_t running = 0;
    std::uint64_t held = 0;
    std::int64_t started_at_ms = 0;
};

struct JobQuery {
    std::vector<std::string> states;  // empty = all
    std::string name;
    std::string tenant;
    std::string user;
    std::size_t limit = 0;  // 0 = the hub's
};

struct LogQuery {
    std::string stream = "stdout";
    std::uint32_t rank = 0;
    std::uint32_t attempt = 0;  // 0 = the last
    std::uint64_t offset = 0;
    std::uint64_t limit = 0;  // 0 = the hub's
};

struct LogChunk {
    std::string bytes;
    std::uint64_t next = 0;  // offset to ask next
    bool end = false;        // the job is final and everything was sent
};

template <class T>
struct Answer {
    T value;
    std::string json;
};

class HubLink {
public:
    explicit HubLink(std::string url);
    ~HubLink();

    [[nodiscard]] const std::string& url() const { return url_; }

    Result<Answer<std::vector<SubmittedInfo>>> submit(const SubmitRequest& request);
    Result<Answer<std::vector<JobInfo>>> jobs(const JobQuery& query);
    // All members of an array, however many pages the hub makes of them.
    Result<Answer<std::vector<JobInfo>>> job(const std::string& reference);
    Result<Answer<CountsInfo>> counts(const std::string& reference);
    // The first members that ended otherwise than well, and how many there are.
    struct Failures {
        std::vector<JobInfo> first;
        std::uint64_t total = 0;
    };
    Result<Failures> failures(const std::string& reference, std::size_t limit);
    Result<Answer<std::uint64_t>> cancel(const std::string& reference);
    Result<Answer<ExplainInfo>> explain(const std::string& reference);
    Result<LogChunk> logs(const std::string& reference, const LogQuery& query);
    Result<Answer<std::vector<PoolInfo>>> fleet();
    Result<Answer<std::vector<CheckInfo>>> doctor();
    Result<Answer<StatusInfo>> status();
    // Each answers what is now, in a sentence.
    Result<Answer<std::string>> reserve(const ReserveRequest& request);
    Result<Answer<std::string>> unreserve(const std::string& name);
    Result<Answer<std::string>> drain(const std::string& node, const std::string& reason);
    Result<Answer<std::string>> restore(const std::string& node);
    Result<Answer<std::string>> set_power(const std::string& domain, std::optional<double> watts);
    Result<Answer<std::vector<ReservationInfo>>> reservations();
    Result<Answer<std::vector<DatasetInfo>>> datasets();
    // Empty where nobody is limited.
    Result<Answer<std::vector<TenantInfo>>> tenants();
    Result<Answer<std::vector<LoanInfo>>> loans();
    Result<Answer<std::string>> offer_loan(const LoanRequest& request);
    // accept, withdraw, recall or return
    Result<Answer<std::string>> move_loan(const std::string& name,
                                          const std::string& how,
                                          const std::string& by);
    // month: "2026-11"; "" = this one.
    Result<Answer<tenancy::Statement>> statement(const std::string& tenant,
                                                 const std::string& month);
    Result<Answer<std::vector<PowerInfo>>> power(const std::string& of);

private:
    Result<Answer<std::string>> operate(const std::string& path, const std::string& body);

    std::string url_;
    std::unique_ptr<api::Client> client_;
};

// As `weir reserve --list` and `weir fleet` show them.
std::string reservation_table(const std::vector<ReservationInfo>& reservations);

// The JSON of some answers, joined: {"jobs":[...]} of several requests as one.
std::string joined_jobs_json(const std::vector<std::string>& answers);
// Small JSON for commands that answer without a hub.
std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields);
std::string json_checks(const std::vector<CheckInfo>& checks);
std::string json_string(std::string_view text);
// Pretty-printed with two spaces; the text itself when it is not JSON.
std::string json_pretty(const std::string& json);

}  // namespace weir::cli
