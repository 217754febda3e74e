// The event log: everything an outsider needs to verify a run, one JSON object a line.
//
// A log is a list of runs; each begins with a Header (fleet and rules) and goes on with what
// happened and what was decided, in that order and with times that never go back. The records here
// are plain data with words of their own, so that whoever judges a run shares no code with whoever
// decided it. docs/reference/event-log.md is the description for people.
//
// Threads: the functions keep no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::audit {

enum class Class : std::uint8_t { low, normal, high, urgent };
enum class Came : std::uint8_t { succeeded, failed, cancelled, lost };
enum class Waits : std::uint8_t { success, end, failure };  // for what of another job
enum class Health : std::uint8_t { up, drained, down };
// How a loan ends but by its time: its lender's gangs would not be had back when it was to begin;
// its borrower gave it back; or the chips were not back when it was over.
enum class LoanEnd : std::uint8_t { refused, returned, defaulted };
std::string_view name_of(Class value);
std::string_view name_of(Came value);
std::string_view name_of(Waits value);
std::string_view name_of(Health value);
std::string_view name_of(LoanEnd value);

// What compute is counted in, and where each bit of it went: docs/concepts/waterfall.md.
enum class Unit : std::uint8_t { none, chips, cpus };  // none: nobody counted
enum class Went : std::uint8_t {
    unpowered,
    failed,
    drained,
    not_demanded,
    over_quota,
    wrong_precision,
    awaiting_data,
    set_apart,
    promised,
    shared_rest,
    fragmented,
    staging,  // from here on somebody held it
    start_up,
    checkpoint,
    restart,
    lost_work,
    open,
    plan,
    kernel,
    running,
    useful
};
inline constexpr std::size_t ways = 21;
std::string_view name_of(Unit value);
std::string_view name_of(Went value);

using Amount = unsigned __int128;  // thousandths of a chip (or CPU) x milliseconds
std::string text_of(Amount amount);

struct Split {  // of compute, into where it went
    std::array<Amount, ways> of{};
    [[nodiscard]] Amount& operator[](Went way) { return of[static_cast<std::size_t>(way)]; }
    [[nodiscard]] Amount operator[](Went way) const { return of[static_cast<std::size_t>(way)]; }
    [[nodiscard]] Amount total() const;
    [[nodiscard]] Amount held() const;
    friend bool operator==(const Split&, const Split&) = default;
};

// How the time since an attempt started, or got another node, was spent; the rest was work.
struct Spent {
    Duration staging{};
    Duration start_up{};
    Duration restart{};
    Duration checkpoint{};
    Duration kept{};  // of the work, what is saved; of an attempt that succeeded all is
    friend bool operator==(const Spent&, const Spent&) = default;
};

struct After {
    JobId job;
    Waits waits = Waits::success;
    friend bool operator==(const After&, const After&) = default;
};

// Whose watts: a rack or pod of a pool, or the site that the pool belongs to.
struct Domain {
    fleet::Level level = fleet::Level::rack;  // rack, pod or site
    PoolId pool;
    std::uint32_t number = 0;
    friend auto operator<=>(const Domain&, const Domain&) = default;
};

struct NodeRun {  // nodes in a row
    PoolId pool;
    std::uint32_t first = 0;
    std::uint32_t count = 1;
    friend bool operator==(const NodeRun&, const NodeRun&) = default;
};

// So much of a resource: thousandths of a chip or CPU, or MFLOP/s of a format.
struct Allowance {
    std::uint32_t resource = 0;  // position in Header::resources
    std::int64_t amount = 0;
    friend bool operator==(const Allowance&, const Allowance&) = default;
};
using Allowances = std::vector<Allowance>;

// Belongs to the one with the longest path that is a beginning of its own, or to the centre itself,
// which owns what of the fleet no quota names and is not listed.
struct Organisation {
    std::string path;  // "bigco/search"
    std::uint32_t weight_milli = 1000;
    Allowances quota;   // not named: none
    Allowances lend;    // at most; not named: all that is idle
    Allowances borrow;  // at most above quota; not named: no limit
    friend bool operator==(const Organisation&, const Organisation&) = default;
};

// What a whole chip and a whole CPU of a pool count of the resources.
struct Measure {
    Allowances per_chip;
    Allowances per_cpu;
    friend bool operator==(const Measure&, const Measure&) = default;
};

// clang-format off
struct Header {
    fleet::Fleet fleet;  // without names of nodes, executors, rates and reliability
    std::string policy;  // for people
    Duration min_run{};  // nobody is stopped for others before ...
    std::uint32_t preemptions_per_hour_max = 0;  // ... and at most so many are; 0 = nobody may be
    Unit counted_in = Unit::none;  // of the waterfall
    std::vector<std::string> resources;       // that some quota or limit names
    std::vector<Organisation> organisations;  // those above come first; none: nobody is limited
    std::vector<Measure> measures;            // by pool; none where there are no organisations
    friend bool operator==(const Header&, const Header&) = default;
};
struct Size {  // another one in which a job may run
    fleet::Demand demand;  // likewise
    Duration limit = forever;
    friend bool operator==(const Size&, const Size&) = default;
};
struct Submitted {
    JobId job;
    Class priority = Class::normal;
    fleet::Demand demand;  // without the wish `prefer`, which binds nobody
    Duration limit = forever;
    std::vector<Size> sizes{};  // beside the one above, which is number 0; these are 1, 2 ...
    Time deadline = never;
    std::vector<After> after;
    JobId array;
    std::uint32_t array_at_once_max = 0;
    Duration checkpoint_every{};
    Duration checkpoint_cost{};
    bool replace_failed = false;
    std::string tenant;           // whose row of the waterfall it is in
    std::string organisation;     // whose rights it uses; "" = the centre itself
    std::vector<PoolId> barred;   // pools that would serve but for its precision contract
    std::vector<std::string> data;  // datasets that it reads
    friend bool operator==(const Submitted&, const Submitted&) = default;
};
struct Started {
    JobId job;
    std::string cause;
    fleet::Placement on;
    std::uint32_t size = 0;
    friend bool operator==(const Started&, const Started&) = default;
};
struct Ended {
    JobId job;
    Came outcome = Came::succeeded;
    bool requeue = false;
    Spent spent{};
    // Measured of a job that came out, in millionths: what is left after the plan, and of that what
    // programs reach.
    bool measured = false;
    std::uint32_t plan_ppm = 0;
    std::uint32_t kernel_ppm = 0;
    friend bool operator==(const Ended&, const Ended&) = default;
};
struct Cancelled { JobId job; friend bool operator==(const Cancelled&, const Cancelled&) = default; };
struct Promised {  // it starts no later than `by`
    JobId job;
    Time by = never;
    std::vector<NodeRun> nodes{};  // there, or elsewhere
    std::uint32_t size = 0;
    friend bool operator==(const Promised&, const Promised&) = default;
};
struct Dropped {
    JobId job;
    std::string cause;
    friend bool operator==(const Dropped&, const Dropped&) = default;
};
struct Preempted {  // is asked to stop; an Ended with requeue follows. None: for watts
    JobId job;
    JobId for_job;
    std::string cause{};  // "" in logs that do not say
    friend bool operator==(const Preempted&, const Preempted&) = default;
};
struct NodeLost {  // a running gang goes on without it, until Replaced or Ended
    JobId job;
    PoolId pool;
    std::uint32_t node = 0;
    friend bool operator==(const NodeLost&, const NodeLost&) = default;
};
struct Replaced {
    JobId job;
    fleet::Placement on;  // all of it
    Spent spent{};        // until now
    friend bool operator==(const Replaced&, const Replaced&) = default;
};
struct NodeHealth {
    PoolId pool;
    std::uint32_t node = 0;
    Health health = Health::up;
    friend bool operator==(const NodeHealth&, const NodeHealth&) = default;
};
struct CapSet {
    Domain domain;
    double watts = 0;  // 0 = no cap
    friend bool operator==(const CapSet&, const CapSet&) = default;
};
struct SetApart {  // an advance reservation
    AdvanceId id;
    Time from{};
    Time until = never;
    bool maintenance = false;
    std::vector<NodeRun> nodes;
    friend bool operator==(const SetApart&, const SetApart&) = default;
};
struct Copied {  // a dataset is copied between sites (positions in Header::fleet) ...
    std::string dataset;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    Time until{};
    // From when on, and over which links (positions in Header::fleet); logs of before the links
    // were in the header say neither.
    Time begins{};
    std::vector<std::uint32_t> over{};
    friend bool operator==(const Copied&, const Copied&) = default;
};
struct Arrived {  // ... and is there
    std::string dataset;
    std::uint32_t site = 0;
    friend bool operator==(const Arrived&, const Arrived&) = default;
};
struct Forgotten {  // a copy made room
    std::string dataset;
    std::uint32_t site = 0;
    friend bool operator==(const Forgotten&, const Forgotten&) = default;
};
struct GivenBack {  // ... and its end before its time
    AdvanceId id;
    friend bool operator==(const GivenBack&, const GivenBack&) = default;
};
struct Lent {  // agreed on: of the lender's own quota, the borrower's in [begins, until)
    std::uint32_t loan = 0;
    std::string lender;  // paths of organisations
    std::string borrower;
    Allowances amounts;
    Time begins{};
    Time until = never;
    Duration notice{};  // from a recall until it takes effect
    friend bool operator==(const Lent&, const Lent&) = default;
};
struct CalledBack {  // nothing more starts on it, and it ends then
    std::uint32_t loan = 0;
    Time until{};
    friend bool operator==(const CalledBack&, const CalledBack&) = default;
};
struct LoanEnded {  // otherwise than by its time
    std::uint32_t loan = 0;
    LoanEnd how = LoanEnd::returned;
    friend bool operator==(const LoanEnded&, const LoanEnded&) = default;
};
struct Account {  // of a job, right behind its end, unless all of it was `running`
    JobId job;
    Split split;
    friend bool operator==(const Account&, const Account&) = default;
};
struct Waterfall {  // of the whole run, from the first submission until now
    struct Row {
        std::string name;
        Split split;
        friend bool operator==(const Row&, const Row&) = default;
    };
    Time from{};
    std::vector<Row> sites;
    std::vector<Row> pools;  // those of the header
    std::vector<Row> tenants;
    Split total;
    friend bool operator==(const Waterfall&, const Waterfall&) = default;
};
// clang-format on

using What = std::variant<Header,
                          Submitted,
                          Started,
                          Ended,
                          Cancelled,
                          Promised,
                          Dropped,
                          Preempted,
                          NodeLost,
                          Replaced,
                          NodeHealth,
                          CapSet,
                          SetApart,
                          GivenBack,
                          Copied,
                          Arrived,
                          Forgotten,
                          Lent,
                          CalledBack,
                          LoanEnded,
                          Account,
                          Waterfall>;

struct Record {
    Time at{};
    What what;
    friend bool operator==(const Record&, const Record&) = default;
};

// Appends the record as one line, with its '\n'.
void encode(const Record& record, std::string& out);

// Reads one line. Strict: a key that is missing, unknown or of another type is an error that begins
// with `place` and names the field, its value and what is valid. Ensures: what it gives encodes to
// a line that reads back the same.
Result<Record> decode(std::string_view line, std::string_view place);

}  // namespace weir::audit
