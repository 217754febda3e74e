// Waterfall: where every chip-second of a fleet went, kept up to date change by change.
//
// Whoever drives the core tells what happened: who waits, who holds what, which nodes serve, what
// budgets are, and how the time of an attempt was spent when it is over. At every moment each
// thousandth of a chip is in exactly one class (losses.hpp), so for every pool
//
//     sum of the classes = thousandths in the pool x time,           exactly, in whole numbers.
//
// What is **held** belongs to a job: its Account is the job's own book, which the driver keeps
// beside the job, and what it adds up to is also in the rows of its pools, its site and its tenant.
// Work is booked when it is known what it was for: what no checkpoint holds when an attempt ends is
// lost at once, and the rest waits in the account until the job has come out or has not; until then
// it is `open`.
//
// What is **idle** is judged at every moment, in this order:
//   1. A chip of a node that is down is failed; of one that is drained or in a maintenance,
//   drained.
//   2. Of what is left in a rack, pod or site as much is unpowered as its budget could not feed
//      beside what is held (power_room.hpp), whether anybody wants it or not. A site feeds first
//      what draws least. Health comes before power, against the order of the picture: a chip that
//      is broken is known, one that is dark is any of several.
//   3. What is left could run somebody, and is wanted as far as jobs wait that could use it: a job
//      asks for its chips once, in whichever of its pools they are idle. So when one job waits for
//      8 chips and a thousand are idle, 8 are a loss of scheduling and the others of demand. Jobs
//      with equal lists of pools (and of one organisation, as large, and with the same datasets to
//      read) ask together; shorter lists ask first, then those that are smaller in alphabetical
//      order, each along its order of preference. All ask four times, each time for what they have
//      not found yet. First in the pools that they accept and have a right to, and where their data
//      lies: what they ask for there is not placeable. Then in those where only their data is
//      missing. Then in those that they accept, but where their organisation has no right to so
//      much at this moment: that is stranded by quota. Then in those that would serve but for their
//      precision contract. What is left, nobody waits for.
//   4. Why what was wanted and may be used is idle: as far as idle chips are promised, on nodes
//      that the promise of a waiting job names, for a promise; then as far as they are set apart
//      (an advance reservation); then what is left of shared chips; the rest is fragmentation: in
//      pieces or places that fit nobody who waits, or of a policy that lets nobody overtake. A node
//      that is set apart counts as that and not as promised. A chip that shares left over is idle
//      and not held: nobody has it, and a small share may still use it.
// Jobs that wait for other jobs, or for their turn in an array, ask for nothing.
//
// A right is counted over what runs, not over what is promised: an organisation has it where it
// owns what the job counts, or where so much is available to it (quota_tree.hpp), with what is lent
// at that moment. Who holds what is known here anyway, so nobody has to tell who is held back.
//
// Where a run is counted in CPUs, pools whose watts follow chips are outside of all budgets here.
//
// Threads: one at a time. Cost: of a start, an end or a promise as pool_nodes.hpp says of each run
// of its nodes, not of each node; of anything else O(1); and for each moment at which something
// changed, O(lists of pools and pools that have to do with each other), with organisations times
// the depth of their tree for those lists with which somebody waits.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/tenancy/losses.hpp"
#include "weir/tenancy/pool_nodes.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::tenancy {

enum class Unit : std::uint8_t { chips, cpus };

// How the time since an attempt began (or moved to other nodes) was spent; the rest was work.
struct Spent {
    Duration staging{};
    Duration start_up{};
    Duration restart{};
    Duration checkpoint{};
    Duration kept{};  // of the work: what a checkpoint holds, or all of it if the job came out
};

// The books of a time, closed.
struct Books {
    struct Row {
        std::string name;
        Losses losses;
        friend bool operator==(const Row&, const Row&) = default;
    };
    Unit unit = Unit::chips;
    Time from{};
    Time until{};
    std::vector<Row> sites;    // in the order of the fleet
    std::vector<Row> pools;    // in the order of the fleet
    std::vector<Row> tenants;  // in the order in which they were first named
    Losses total;

    // What was so at any moment, in equal bins of time (the last one may reach beyond the end): the
    // classes of what is idle, and behind them what was held, as amounts.
    static constexpr std::size_t levels = static_cast<std::size_t>(first_held) + 1;
    using Levels = std::array<ChipTime, levels>;
    Duration bin{};
    std::vector<Levels> over_time;

    friend bool operator==(const Books&, const Books&) = default;
};

class Waterfall {
public:
    // A job's own book. The driver keeps it, hands it in, and looks at nothing but whose it is.
    class Account {
    public:
        std::uint32_t tenant = 0;  // from Waterfall::tenant()
        TenantId house{0};         // whose rights it uses; the root where nobody is limited

    private:
        friend class Waterfall;
        struct Held {
            std::uint32_t pool;
            std::uint64_t units;
        };
        struct Kept {
            std::uint32_t pool;
            ChipTime amount;
        };
        std::uint32_t list = 0;  // of pools that it accepts
        bool waits = false;
        std::uint64_t asked = 0;  // thousandths
        Time since{};             // it holds what it holds
        std::vector<Held> held;
        Charges charged;                                // of its organisation, while it runs
        std::vector<Kept> kept;                         // of ended attempts
        std::uint64_t promise = 0;                      // that it has; 0 = none
        std::vector<std::uint32_t> promised_in;         // pools
        std::vector<std::pair<Loss, ChipTime>> booked;  // of ended attempts
    };

    // Counts from `from` on; what is told of times before shapes the state at that time. Requires:
    // the rights are on this fleet.
    Waterfall(const fleet::Fleet& fleet, Unit unit, Time from, Rights rights = {});

    // The row for jobs of this tenant; "" is a name like any other.
    std::uint32_t tenant(std::string_view name);

    // Requires, of all that follows: times never go back.

    // It asks for room from now on. `barred`: pools that would serve it but for its contract;
    // `reads`: datasets that have to lie where it runs.
    void waits(Account& account,
               const fleet::Demand& demand,
               const std::vector<PoolId>& barred,
               Time now,
               const std::vector<std::string>& reads = {});
    // It asks for nothing any more, and will not start for now.
    void rests(Account& account, Time now);
    void starts(Account& account,
                const fleet::Demand& demand,
                const fleet::Placement& placement,
                Time now);
    // It gives back what it holds: an attempt is over, or goes on elsewhere. Requires: the demand
    // and placement of its start; no more was spent than the time since then.
    void stops(Account& account,
               const fleet::Demand& demand,
               const fleet::Placement& placement,
               const Spent& spent,
               Time now);
    // It is over, and neither waits nor holds anything any more. Returns its row; the account may
    // be another job's from now on.
    Losses settles(Account& account,
                   bool came_out,
                   const std::optional<Efficiency>& efficiency,
                   Time now);
    // It is promised these nodes (none: nothing any more). A start, and rests(), end a promise.
    void promised(Account& account, const fleet::Placement& placement, Time now);

    // So much of the lender's own quota is the borrower's from now on: a loan begins. When it is
    // over the borrower leaves it to the lender again. Requires: whoever leaves it has so much.
    void lend(TenantId lender, TenantId borrower, std::span<const Allowance> amounts, Time now);

    using Health = PoolNodes::Health;
    void set_health(PoolId pool, std::uint32_t node, Health health, Time now);
    // Of a rack or pod of the pool, or of its site; 0 = no budget.
    void set_budget(fleet::Level level, PoolId pool, std::uint32_t number, double watts, Time now);
    // Whether a dataset lies whole at a site (a position in the fleet) from now on. At first those
    // lie where the fleet says so.
    void set_data(std::string_view dataset, std::uint32_t site, bool lies, Time now);
    struct Run {
        PoolId pool;
        std::uint32_t first = 0;
        std::uint32_t count = 0;
    };
    void set_apart(
        AdvanceId id, std::vector<Run> nodes, bool maintenance, Time from, Time until, Time now);
    void given_back(AdvanceId id, Time now);

    // The books up to `now`; it may be asked for again later.
    [[nodiscard]] Books books(Time now);
    // The row of a job up to `now` that is not settled yet. Requires: `now` is not before the last
    // change.
    [[nodiscard]] static Losses row(const Account& account, Time now);

private:
    using Rates = std::array<std::uint64_t, Books::levels>;  // thousandths, by class
    struct Pool {
        Pool(const fleet::Pool& its, std::uint64_t its_node_units)
            : facts(its),
              node_units(its_node_units),
              units(its_node_units * its.nodes),
              nodes(its, its_node_units) {
            facts.node_names.clear();
        }
        fleet::Pool facts;
        std::uint32_t site = 0;
        std::uint32_t group = 0;
        std::uint64_t node_units = 0;
        std::uint64_t units = 0;    // of all nodes
        std::uint64_t span_mw = 0;  // what a busy node draws more than an idle one; 0 = no matter
        PoolNodes nodes;
        std::uint64_t left = 0;  // scratch: what nobody has asked for yet
        Time since{};            // `rates` hold
        Rates rates{};
        Losses losses;  // until `since`; of what is held, what is booked
        ChipTime held_sum = 0;
    };
    struct Site {
        std::string name;
        std::int64_t budget_mw = 0;        // 0 = none
        std::vector<std::uint32_t> pools;  // with watts, those that draw least first
    };
    // Of jobs that ask alike. Without organisations only pools matter. In the order of asking.
    struct ListKey {
        std::size_t length = 0;
        std::vector<PoolId> pools;  // that they accept
        TenantId house;
        std::uint64_t chips_milli = 0;
        std::uint64_t cpus_milli = 0;
        std::vector<PoolId> barred;
        std::vector<std::string> reads;
        friend auto operator<=>(const ListKey&, const ListKey&) = default;
    };
    // What keeps jobs of a list from one of the pools that they accept.
    enum class Bar : std::uint8_t { none, data, right };
    struct List {
        ListKey key;
        std::vector<Charges> charges;      // beside key.pools; empty where nobody is limited
        std::vector<std::uint32_t> reads;  // key.reads, as positions in lies_
        std::uint32_t group = 0;
        std::uint64_t asked = 0;
        // Beside key.pools, as of the last time that it mattered; empty where nothing bars anybody.
        std::vector<Bar> bars{};
        std::uint64_t left = 0;  // scratch: what it has not found yet
    };
    struct Group {  // pools that jobs or watts tie together
        std::vector<std::uint32_t> pools;
        std::vector<std::uint32_t> lists;  // in the order in which they ask
        bool dirty = false;
    };
    struct Tenant {
        Books::Row row;  // of what is held, what is booked
        std::uint64_t held = 0;
        Time since{};  // it holds what it holds
        ChipTime held_sum = 0;
    };
    struct Apart {
        AdvanceId id;
        std::vector<Run> nodes;
        bool maintenance = false;
        bool begun = false;
        Time from{};
        Time until = never;
    };

    [[nodiscard]] std::uint64_t units_of(const Pool& pool, const fleet::ReplicaDemand& each) const;
    [[nodiscard]] std::uint32_t list_of(const Account& account,
                                        const fleet::Demand& demand,
                                        const std::vector<PoolId>& barred,
                                        const std::vector<std::string>& reads);
    [[nodiscard]] std::uint32_t dataset(std::string_view name);
    void charge(Account& account, const fleet::Demand& demand, PoolId pool);
    void find_bars(List& list);
    void ask_round(List& list, Loss loss, Bar bar);
    std::uint32_t merged(std::uint32_t a, std::uint32_t b);
    void touch(std::uint32_t group);
    void ask(Account& account, bool more);
    void forget_promise(Account& account);
    void hold(const fleet::Demand& demand, const fleet::Placement& placement, bool taking);
    void hold_for(std::uint32_t tenant, std::uint64_t units, bool taking);
    void begin_or_end(const Apart& apart, bool begins);
    void apart_by(Time at);
    void when_apart_next();

    void book(Account& account, std::uint32_t pool, Loss loss, ChipTime amount);
    void advance(Time now);
    void step(Time to);
    void rate_dirty();
    void rate(Group& group);
    void limit_site(const Site& site);
    void add_to_bins(Time begin, Time end);

    Unit unit_;
    Rights rights_;
    QuotaTree tree_;             // of what runs
    bool rights_moved_ = false;  // at this moment
    Time from_{};
    Time now_{};
    std::vector<Site> sites_;
    std::vector<Pool> pools_;
    std::vector<std::vector<bool>> lies_;  // by dataset, then site
    std::map<std::string, std::uint32_t, std::less<>> dataset_of_;
    std::vector<List> lists_;
    std::map<ListKey, std::uint32_t> list_of_;
    std::uint32_t last_list_ = 0;
    std::vector<Group> groups_;
    std::vector<std::uint32_t> dirty_;
    std::vector<Tenant> tenants_;
    std::uint64_t promises_ = 0;  // that were ever made
    std::unordered_map<std::string, std::uint32_t> tenant_of_;
    std::vector<Apart> aparts_;
    Time next_apart_ = never;  // one begins or ends
    Rates rates_{};            // of all pools together
    Duration bin_{1000};
    Time bin_end_{};
    std::vector<Books::Levels> bins_;
};

}  // namespace weir::tenancy
