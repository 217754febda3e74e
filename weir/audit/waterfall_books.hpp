// WaterfallBooks: where every chip-second of a run went, worked out from its event log alone.
//
// The rules are those of docs/concepts/waterfall.md; the code is the checker's own, and simple:
// sums over the nodes of each pool, who asks for what, and at every moment at which something
// changed all pools are judged again. A run says in its header what it counts in; of one that does
// not, nobody asks for these books.
//
// A log may tell what cannot be (more held than there is): then the books are wrong, as the
// checker says elsewhere, but they are kept all the same.
//
// Threads: one at a time. Cost of a moment at which something changed: pools, lists of pools that
// jobs accept (of each organisation and size), organisations, and the nodes of pools whose racks or
// pods have budgets.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/audit/log_format.hpp"
#include "weir/audit/quota_books.hpp"

namespace weir::audit {

// Each once, in the order in which they are named.
std::vector<PoolId> pools_of_all_sizes(const Submitted& job);

class WaterfallBooks {
public:
    explicit WaterfallBooks(const Header& header);

    // The first submission is where counting begins. Requires, of all that follows: times never go
    // back, and pools and nodes exist.
    void submitted(const Submitted& job, bool asks, Time now);
    // Whether it waits for nothing but room.
    void asks(JobId job, bool asks, Time now);
    // From now on it is a job of that size.
    void takes(JobId job, const fleet::Demand& demand, Time now);
    void started(JobId job, const fleet::Placement& on, Time now);
    // It gives back what it holds. False where more time was spent than it had.
    bool stopped(JobId job, const Spent& spent, bool all_kept, Time now);
    // It is over, and holds nothing; what became of its time.
    Split settled(JobId job, const Ended* came_out, Time now);
    void promised(JobId job, const std::vector<NodeRun>& nodes, Time now);
    void set_health(PoolId pool, std::uint32_t node, Health health, Time now);
    void set_cap(const Domain& domain, double watts, Time now);
    // Whether a dataset lies whole at a site (a position in the header) from now on.
    void set_data(const std::string& dataset, std::size_t site, bool lies, Time now);
    // So much of the lender's own quota is the borrower's from now on, or its own again.
    void lend(
        std::size_t lender, std::size_t borrower, const Allowances& amounts, bool back, Time now);
    void set_apart(const SetApart& apart, Time now);
    void given_back(AdvanceId id, Time now);

    // Closes the books of all that was until now.
    [[nodiscard]] Waterfall until(Time now);
    // What its nodes could have given since the first submission.
    [[nodiscard]] Amount peak(PoolId pool, Time now) const;
    // What all jobs held until then, those that are over and those that are not.
    [[nodiscard]] Amount of_jobs() const;

private:
    struct Node {
        std::uint64_t held = 0;
        std::uint64_t shared_rest = 0;
        std::uint32_t promises = 0;
        std::uint32_t apart = 0;
        std::uint32_t maintained = 0;
        Health health = Health::up;
    };
    enum Kind : std::size_t { in_service, failed, drained, apart, promised_to, rest, kinds };
    struct PoolBook {
        fleet::Pool facts;
        std::size_t site = 0;
        std::uint64_t node_units = 0;
        std::int64_t span_mw = 0;  // busy - idle of a node; 0: watts limit nothing here
        std::vector<Node> nodes;
        std::map<std::pair<std::uint32_t, int>, std::uint64_t> shares;  // node, chip -> thousandths
        std::vector<double> rack_watts;  // budgets; empty = none ever was
        std::vector<double> pod_watts;
        std::uint64_t held = 0;
        std::array<std::uint64_t, kinds> idle{};  // by what is said of the node
        std::array<std::uint64_t, ways> rate{};   // of what is idle, since the last moment
        Split split;
        Amount held_sum = 0;
    };
    struct JobBook {
        fleet::Demand demand;
        std::vector<PoolId> barred;
        std::vector<std::string> reads;
        std::string tenant;
        std::size_t house = 0;
        QuotaBooks::Charges charged;  // while it runs
        bool asks = false;
        fleet::Placement on;
        Time since{};
        std::vector<NodeRun> promised;
        std::map<std::size_t, Amount> kept;  // by pool
        Split split;
    };
    // Jobs that ask alike, in the order in which they ask. Without organisations only pools matter.
    struct Alike {
        std::size_t length = 0;
        std::vector<PoolId> pools;
        std::size_t house = 0;
        std::uint64_t chips_milli = 0;
        std::uint64_t cpus_milli = 0;
        std::vector<PoolId> barred;
        std::vector<std::string> reads;
        friend auto operator<=>(const Alike&, const Alike&) = default;
    };
    void come_to(Time now);
    void spend(Duration time);
    void judge();
    [[nodiscard]] bool has_data(const Alike& alike, PoolId pool) const;
    [[nodiscard]] std::vector<std::uint64_t> fed() const;
    [[nodiscard]] std::uint64_t fed_in(const PoolBook& pool) const;
    static void count(PoolBook& pool, const Node& node, bool more);
    template <class Change>
    void change(PoolBook& pool, std::uint32_t first, std::uint32_t nodes, Change change);
    void change_apart(const SetApart& apart, bool begins);
    [[nodiscard]] std::uint64_t units_of(const PoolBook& pool,
                                         const fleet::ReplicaDemand& each) const;
    [[nodiscard]] std::map<std::size_t, std::uint64_t> units_by_pool(const JobBook& job) const;
    void hold(const JobBook& job, bool taking);
    [[nodiscard]] Amount open_of(const JobBook& job) const;
    void book(JobBook& job, std::size_t pool, Went way, Amount amount);
    Split& of_tenant(const std::string& name);

    Unit unit_;
    bool counting_ = false;
    bool changed_ = true;
    Time from_{};
    Time now_{};
    std::vector<PoolBook> pools_;
    std::vector<std::pair<std::string, double>> sites_;  // name and budget
    std::unordered_map<JobId, JobBook> jobs_;
    QuotaBooks quotas_;  // of what runs, with what is lent
    std::map<Alike, std::uint64_t> asked_;
    std::set<std::pair<std::string, std::size_t>> data_;  // datasets, and where they lie
    std::vector<std::pair<SetApart, bool>> aparts_;       // and whether it has begun
    std::vector<Waterfall::Row> tenants_;
    std::unordered_map<std::string, std::size_t> tenant_at_;
    Amount of_settled_ = 0;
};

}  // namespace weir::audit
