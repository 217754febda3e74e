// A slow waterfall that is obviously right: it looks at every node at every millisecond, remembers
// nothing but who holds what, and follows the text of waterfall.hpp sentence by sentence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "weir/tenancy/waterfall.hpp"

namespace weir::tenancy {

class WaterfallReference {
public:
    struct Job {
        std::string tenant;
        TenantId house{0};
        fleet::Demand demand;
        std::vector<PoolId> barred;
        std::vector<std::string> reads;
        bool waits = false;
        fleet::Placement on;                          // while it runs
        fleet::Placement promised;                    // while it is promised something
        std::vector<std::int64_t> ms_in_pool;         // of what it holds now, thousandths x ms
        std::vector<std::int64_t> work_kept_in_pool;  // of ended attempts, the same
        Losses row;
    };
    struct Node {
        Waterfall::Health health = Waterfall::Health::up;
    };

    WaterfallReference(const fleet::Fleet& fleet, Unit unit, Rights rights);

    Rights rights;                      // as they stand: what is lent is the borrower's
    std::map<std::uint64_t, Job> jobs;  // that are not settled
    std::vector<std::vector<Node>> nodes;
    std::vector<std::vector<double>> rack_watts;  // budgets, 0 = none
    std::vector<std::vector<double>> pod_watts;
    std::vector<double> site_watts;
    std::set<std::pair<std::string, std::string>> data;  // a dataset and a site where it lies
    struct Apart {
        AdvanceId id;
        std::vector<Waterfall::Run> nodes;
        bool maintenance;
        std::int64_t from_ms;
        std::int64_t until_ms;
    };
    std::vector<Apart> aparts;

    [[nodiscard]] std::int64_t node_units(std::size_t pool) const;
    [[nodiscard]] std::int64_t held_on(std::size_t pool, std::uint32_t node) const;
    // Thousandths of one chip that shares hold.
    [[nodiscard]] std::int64_t shares_of(std::size_t pool, std::uint32_t node, int chip) const;

    // The millisecond that begins now.
    void tick(std::int64_t now_ms);
    void stops(Job& job, const Spent& spent);
    void settles(Job& job, bool came_out, const std::optional<Efficiency>& efficiency);

    std::vector<Losses> of_pool;
    std::map<std::string, Losses> of_tenant;

private:
    [[nodiscard]] std::int64_t units_in(const Job& job, std::size_t pool) const;
    [[nodiscard]] std::vector<std::int64_t> fed(const std::vector<std::vector<std::int64_t>>& idle);
    // Whether its organisation might let it run in this pool beside all that runs.
    [[nodiscard]] bool has_right(const Job& job, PoolId pool) const;
    // Whether all that it reads lies at the site of this pool.
    [[nodiscard]] bool has_data(const Job& job, PoolId pool) const;
    void book(Job& job, std::size_t pool, Loss loss, std::int64_t amount);

    fleet::Fleet fleet_;
    Unit unit_;
};

}  // namespace weir::tenancy
