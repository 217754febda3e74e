#include "weir/tenancy/waterfall.hpp"

#include <algorithm>
#include <bit>

#include "weir/base/assert.hpp"
#include "weir/fleet/power.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/power_room.hpp"

namespace weir::tenancy {
namespace {

constexpr std::size_t bins_max = 480;
constexpr auto at_held = static_cast<std::size_t>(first_held);

ChipTime over(std::uint64_t units, Duration time) {
    return ChipTime{units} * static_cast<std::uint64_t>(time.count());
}

// What a share in millionths takes away; rounded down.
ChipTime without(ChipTime amount, std::uint32_t ppm) {
    constexpr std::uint32_t whole = 1'000'000;
    return amount * (whole - std::min(ppm, whole)) / whole;
}

}  // namespace

Waterfall::Waterfall(const fleet::Fleet& fleet, Unit unit, Time from, Rights rights)
    : unit_(unit), rights_(std::move(rights)), from_(from), now_(from), bin_end_(from) {
    if (!rights_.empty()) tree_ = QuotaTree(rights_.organisations, rights_.capacity);
    for (const fleet::Site& site : fleet.sites) {
        sites_.push_back(
            {.name = site.name, .budget_mw = fleet::milliwatts(site.power_watts), .pools = {}});
    }
    for (const fleet::Pool& facts : fleet.pools) {
        const auto number = static_cast<std::uint32_t>(pools_.size());
        const std::uint64_t node_units =
            unit == Unit::chips ? std::uint64_t{facts.chips_per_node} * 1000 : facts.cpus_milli;
        const auto site = std::find_if(
            sites_.begin(), sites_.end(), [&](const Site& its) { return its.name == facts.site; });
        Pool& pool = pools_.emplace_back(facts, node_units);
        pool.site = static_cast<std::uint32_t>(site - sites_.begin());
        if (site == sites_.end()) sites_.push_back({.name = facts.site, .pools = {}});
        pool.group = number;
        groups_.push_back({.pools = {number}, .lists = {}});
        pool.since = from;
        const std::int64_t span = fleet::milliwatts(facts.node_busy_watts - facts.node_idle_watts);
        const bool watts_follow = unit == Unit::chips || facts.chips_per_node == 0;
        if (facts.node_busy_watts <= 0 || span <= 0 || pool.units == 0 || !watts_follow) continue;
        pool.span_mw = static_cast<std::uint64_t>(span);
        std::vector<std::uint32_t>& neighbours = sites_[pool.site].pools;
        const auto draws_less = [&](std::uint32_t a, std::uint32_t b) {
            return ChipTime{pools_[a].span_mw} * pools_[b].node_units <
                   ChipTime{pools_[b].span_mw} * pools_[a].node_units;
        };
        neighbours.insert(
            std::upper_bound(neighbours.begin(), neighbours.end(), number, draws_less), number);
        if (facts.rack_power_watts > 0 || facts.pod_power_watts > 0) {
            pool.nodes.set_budget(fleet::Level::rack, 0, facts.rack_power_watts);
        }
    }
    for (std::uint32_t site = 0; site < fleet.sites.size(); ++site)
        for (const auto& [name, size] : fleet.sites[site].storage.datasets)
            set_data(name, site, true, from);
    for (const Site& site : sites_) {
        if (site.budget_mw == 0) continue;
        for (const std::uint32_t pool : site.pools)
            merged(pools_[site.pools.front()].group, pools_[pool].group);
    }
    for (std::uint32_t group = 0; group < groups_.size(); ++group)
        touch(group);
}

std::uint32_t Waterfall::tenant(std::string_view name) {
    const auto [its, added] =
        tenant_of_.try_emplace(std::string(name), static_cast<std::uint32_t>(tenants_.size()));
    if (added) {
        tenants_.push_back({.row = {.name = std::string(name), .losses = {}}, .since = now_});
    }
    return its->second;
}

// ---------------------------------------------------------------------------------------------
// Which pools have to do with each other

void Waterfall::touch(std::uint32_t group) {
    if (groups_[group].dirty) return;
    groups_[group].dirty = true;
    dirty_.push_back(group);
}

// One group of two; the other one is left empty.
std::uint32_t Waterfall::merged(std::uint32_t a, std::uint32_t b) {
    if (a == b) return a;
    Group& to = groups_[a];
    Group& from = groups_[b];
    for (const std::uint32_t pool : from.pools)
        pools_[pool].group = a;
    for (const std::uint32_t list : from.lists)
        lists_[list].group = a;
    to.pools.insert(to.pools.end(), from.pools.begin(), from.pools.end());
    to.lists.insert(to.lists.end(), from.lists.begin(), from.lists.end());
    std::sort(to.pools.begin(), to.pools.end());
    std::sort(to.lists.begin(), to.lists.end(), [this](std::uint32_t x, std::uint32_t y) {
        return lists_[x].key < lists_[y].key;
    });
    from.pools.clear();
    from.lists.clear();
    touch(a);
    return a;
}

std::uint32_t Waterfall::list_of(const Account& account,
                                 const fleet::Demand& demand,
                                 const std::vector<PoolId>& barred,
                                 const std::vector<std::string>& reads) {
    const bool limited = !rights_.empty();
    const TenantId house = limited ? account.house : TenantId{0};
    const std::uint64_t chips_milli = limited ? demand.chips_milli() : 0;
    const std::uint64_t cpus_milli = limited ? demand.cpus_milli() : 0;
    if (last_list_ < lists_.size()) {
        const ListKey& last = lists_[last_list_].key;
        if (last.pools == demand.pools && last.house == house && last.chips_milli == chips_milli &&
            last.cpus_milli == cpus_milli && last.barred == barred && last.reads == reads)
            return last_list_;
    }
    ListKey key{demand.pools.size(), demand.pools, house, chips_milli, cpus_milli, barred, reads};
    const auto [its, added] = list_of_.try_emplace(key, static_cast<std::uint32_t>(lists_.size()));
    last_list_ = its->second;
    if (!added) return last_list_;
    List& list = lists_.emplace_back();
    list.key = std::move(key);
    for (const std::string& name : reads)
        list.reads.push_back(dataset(name));
    if (limited) {
        for (const PoolId pool : demand.pools)
            list.charges.push_back(rights_.charges(demand, pool));
    }
    // A group of its own that all its pools join.
    auto group = static_cast<std::uint32_t>(groups_.size());
    groups_.push_back({.pools = {}, .lists = {last_list_}});
    for (const std::vector<PoolId>* pools : {&demand.pools, &barred})
        for (const PoolId pool : *pools)
            group = merged(pools_.at(pool.value).group, group);
    lists_[last_list_].group = group;
    return last_list_;
}

// ---------------------------------------------------------------------------------------------
// What changes

std::uint64_t Waterfall::units_of(const Pool& pool, const fleet::ReplicaDemand& each) const {
    if (pool.node_units == 0) return 0;
    return unit_ == Unit::chips ? std::uint64_t{each.chips} * 1000 + each.chip_permille
                                : each.cpus_milli;
}

void Waterfall::hold(const fleet::Demand& demand, const fleet::Placement& placement, bool taking) {
    for (const fleet::NodeRange& range : placement.ranges) {
        Pool& pool = pools_.at(range.pool.value);
        const fleet::ReplicaDemand& each = demand.parts.at(range.part).each;
        const std::uint64_t units = units_of(pool, each) * range.replicas;
        if (units == 0) continue;
        const PoolNodes::Run run{range.first, range.first + range.count};
        pool.nodes.hold(run, units, taking);
        if (unit_ == Unit::chips && each.chip_permille > 0) {
            pool.nodes.hold_share(run,
                                  static_cast<std::uint32_t>(std::countr_zero(range.chip_mask)),
                                  each.chip_permille * range.replicas,
                                  taking);
        }
        touch(pool.group);
    }
}

void Waterfall::hold_for(std::uint32_t tenant, std::uint64_t units, bool taking) {
    Tenant& its = tenants_.at(tenant);
    its.held_sum += over(its.held, now_ - its.since);
    its.since = now_;
    its.held += taking ? units : -units;
}

void Waterfall::ask(Account& account, bool more) {
    List& list = lists_[account.list];
    list.asked += more ? account.asked : -account.asked;
    account.waits = more;
    touch(list.group);
}

void Waterfall::waits(Account& account,
                      const fleet::Demand& demand,
                      const std::vector<PoolId>& barred,
                      Time now,
                      const std::vector<std::string>& reads) {
    advance(now);
    if (account.waits) ask(account, false);
    account.list = list_of(account, demand, barred, reads);
    account.asked = unit_ == Unit::chips ? demand.chips_milli() : demand.cpus_milli();
    ask(account, true);
}

// What it takes of the rights of its organisation, in the pool where it runs.
void Waterfall::charge(Account& account, const fleet::Demand& demand, PoolId pool) {
    if (rights_.empty()) return;
    account.charged = rights_.charges(demand, pool);
    for (const Allowance& each : account.charged)
        tree_.use(account.house, each.resource, each.amount);
    rights_moved_ = true;
}

void Waterfall::lend(TenantId lender,
                     TenantId borrower,
                     std::span<const Allowance> amounts,
                     Time now) {
    advance(now);
    move_quota(rights_.organisations, lender, borrower, amounts);
    QuotaTree moved(rights_.organisations, rights_.capacity);
    std::vector<Amount> own(tree_.tenants());  // that runs in the house itself
    for (std::uint32_t r = 0; r < tree_.resources(); ++r) {
        for (std::uint32_t x = 0; x < own.size(); ++x)
            own[x] = tree_.usage(TenantId{x}, r);
        for (std::uint32_t x = 1; x < own.size(); ++x) {
            const TenantId house{x};
            own[tree_.parent(house).value] -=
                std::max<Amount>(0, tree_.usage(house, r) - tree_.local(house, r));
        }
        for (std::uint32_t x = 0; x < own.size(); ++x)
            if (own[x] > 0) moved.use(TenantId{x}, r, own[x]);
    }
    tree_ = std::move(moved);
    rights_moved_ = true;
}

void Waterfall::forget_promise(Account& account) {
    for (const std::uint32_t pool : account.promised_in) {
        pools_[pool].nodes.forget(account.promise);
        touch(pools_[pool].group);
    }
    account.promised_in.clear();
}

void Waterfall::promised(Account& account, const fleet::Placement& placement, Time now) {
    advance(now);
    if (placement.ranges.empty()) {
        forget_promise(account);
        return;
    }
    if (account.promise == 0) account.promise = ++promises_;
    std::vector<std::uint32_t> before;
    before.swap(account.promised_in);
    std::vector<std::uint32_t>& pools = account.promised_in;
    for (const fleet::NodeRange& range : placement.ranges) {
        if (std::find(pools.begin(), pools.end(), range.pool.value) == pools.end()) {
            pools.push_back(range.pool.value);
        }
    }
    for (const std::uint32_t pool : before) {
        if (std::find(pools.begin(), pools.end(), pool) != pools.end()) continue;
        pools_[pool].nodes.forget(account.promise);
        touch(pools_[pool].group);
    }
    for (const std::uint32_t pool : pools) {
        std::vector<PoolNodes::Run> runs;
        for (const fleet::NodeRange& range : placement.ranges)
            if (range.pool.value == pool) runs.emplace_back(range.first, range.first + range.count);
        if (pools_.at(pool).nodes.promise(account.promise, std::move(runs))) {
            touch(pools_[pool].group);
        }
    }
}

void Waterfall::rests(Account& account, Time now) {
    advance(now);
    if (account.waits) ask(account, false);
    forget_promise(account);
}

void Waterfall::starts(Account& account,
                       const fleet::Demand& demand,
                       const fleet::Placement& placement,
                       Time now) {
    WEIR_ASSERT(account.held.empty());
    advance(now);
    if (account.waits) ask(account, false);
    forget_promise(account);
    hold(demand, placement, true);
    charge(account, demand, placement.ranges.front().pool);
    account.since = now_;
    std::uint64_t sum = 0;
    for (const fleet::NodeRange& range : placement.ranges) {
        const Pool& pool = pools_[range.pool.value];
        const std::uint64_t units =
            units_of(pool, demand.parts[range.part].each) * range.replicas * range.count;
        sum += units;
        const auto its =
            std::find_if(account.held.begin(), account.held.end(), [&](const auto& one) {
                return one.pool == range.pool.value;
            });
        if (its == account.held.end()) {
            account.held.push_back({range.pool.value, units});
        } else {
            its->units += units;
        }
    }
    hold_for(account.tenant, sum, true);
}

void Waterfall::book(Account& account, std::uint32_t pool, Loss loss, ChipTime amount) {
    if (amount == 0) return;
    pools_[pool].losses[loss] += amount;
    tenants_[account.tenant].row.losses[loss] += amount;
    account.booked.emplace_back(loss, amount);
}

void Waterfall::stops(Account& account,
                      const fleet::Demand& demand,
                      const fleet::Placement& placement,
                      const Spent& spent,
                      Time now) {
    advance(now);
    hold(demand, placement, false);
    const Duration overhead = spent.staging + spent.start_up + spent.restart + spent.checkpoint;
    const Duration lost = now_ - account.since - overhead - spent.kept;
    WEIR_ASSERT(lost >= Duration{});
    std::uint64_t sum = 0;
    for (const auto& [pool, units] : account.held) {
        sum += units;
        if (overhead > Duration{}) {
            book(account, pool, Loss::staging, over(units, spent.staging));
            book(account, pool, Loss::start_up, over(units, spent.start_up));
            book(account, pool, Loss::restart, over(units, spent.restart));
            book(account, pool, Loss::checkpoint, over(units, spent.checkpoint));
        }
        book(account, pool, Loss::lost_work, over(units, lost));
        if (spent.kept > Duration{}) account.kept.push_back({pool, over(units, spent.kept)});
    }
    hold_for(account.tenant, sum, false);
    account.held.clear();
    for (const Allowance& each : account.charged)
        tree_.give_back(account.house, each.resource, each.amount);
    rights_moved_ = rights_moved_ || !account.charged.empty();
    account.charged.clear();
}

Losses Waterfall::settles(Account& account,
                          bool came_out,
                          const std::optional<Efficiency>& efficiency,
                          Time now) {
    WEIR_ASSERT(account.held.empty());
    rests(account, now);
    // The work of a job in one pool is one amount, so that it is rounded once.
    std::sort(account.kept.begin(), account.kept.end(), [](const auto& a, const auto& b) {
        return a.pool < b.pool;
    });
    for (std::size_t i = 0; i < account.kept.size();) {
        const std::uint32_t pool = account.kept[i].pool;
        ChipTime work = 0;
        for (; i < account.kept.size() && account.kept[i].pool == pool; ++i)
            work += account.kept[i].amount;
        if (!came_out) {
            book(account, pool, Loss::lost_work, work);
        } else if (!efficiency) {
            book(account, pool, Loss::running, work);
        } else {
            const ChipTime plan = without(work, efficiency->plan_ppm);
            const ChipTime kernel = without(work - plan, efficiency->kernel_ppm);
            book(account, pool, Loss::plan, plan);
            book(account, pool, Loss::kernel, kernel);
            book(account, pool, Loss::useful, work - plan - kernel);
        }
    }
    account.kept.clear();
    Losses row;
    for (const auto& [loss, amount] : account.booked)
        row[loss] += amount;
    account.booked.clear();
    return row;
}

Losses Waterfall::row(const Account& account, Time now) {
    Losses row;
    for (const auto& [loss, amount] : account.booked)
        row[loss] += amount;
    for (const auto& kept : account.kept)
        row[Loss::open] += kept.amount;
    for (const auto& held : account.held)
        row[Loss::open] += over(held.units, now - account.since);
    return row;
}

void Waterfall::set_health(PoolId id, std::uint32_t number, Health health, Time now) {
    advance(now);
    Pool& pool = pools_.at(id.value);
    pool.nodes.set_health(number, health);
    touch(pool.group);
}

// ---------------------------------------------------------------------------------------------
// Data

std::uint32_t Waterfall::dataset(std::string_view name) {
    const auto its = dataset_of_.find(name);
    if (its != dataset_of_.end()) return its->second;
    const auto number = static_cast<std::uint32_t>(lies_.size());
    dataset_of_.emplace(name, number);
    lies_.emplace_back(sites_.size(), false);
    return number;
}

void Waterfall::set_data(std::string_view name, std::uint32_t site, bool lies, Time now) {
    advance(now);
    const std::uint32_t number = dataset(name);
    lies_[number].at(site) = lies;
    for (const List& list : lists_)
        if (std::find(list.reads.begin(), list.reads.end(), number) != list.reads.end())
            touch(list.group);
}

// ---------------------------------------------------------------------------------------------
// Watts

void Waterfall::set_budget(
    fleet::Level level, PoolId id, std::uint32_t number, double watts, Time now) {
    advance(now);
    Pool& pool = pools_.at(id.value);
    if (level == fleet::Level::site) {
        Site& site = sites_[pool.site];
        site.budget_mw = fleet::milliwatts(watts);
        for (const std::uint32_t other : site.pools)
            touch(merged(pools_[site.pools.front()].group, pools_[other].group));
        return;
    }
    if (pool.span_mw == 0) return;
    pool.nodes.set_budget(level, number, watts);
    touch(pool.group);
}

// What its pools can feed inside its budget.
void Waterfall::limit_site(const Site& site) {
    if (site.budget_mw <= 0) return;
    std::int64_t left_mw = site.budget_mw;
    for (const std::uint32_t number : site.pools) {
        const Pool& pool = pools_[number];
        left_mw -= fleet::idle_milliwatts(pool.facts) * pool.facts.nodes +
                   milliwatts_of(pool.nodes.sums().held, pool.node_units, pool.span_mw);
    }
    for (const std::uint32_t number : site.pools) {
        Pool& pool = pools_[number];
        pool.left = std::min(pool.left, units_fed(left_mw, pool.node_units, pool.span_mw));
        left_mw -= milliwatts_of(pool.left, pool.node_units, pool.span_mw);
    }
}

// ---------------------------------------------------------------------------------------------
// Nodes that are set apart

void Waterfall::begin_or_end(const Apart& apart, bool begins) {
    for (const Run& run : apart.nodes) {
        Pool& pool = pools_.at(run.pool.value);
        pool.nodes.set_apart({run.first, run.first + run.count}, apart.maintenance, begins);
        touch(pool.group);
    }
}

void Waterfall::when_apart_next() {
    next_apart_ = never;
    for (const Apart& apart : aparts_)
        next_apart_ = std::min(next_apart_, apart.begun ? apart.until : apart.from);
}

void Waterfall::apart_by(Time at) {
    for (Apart& apart : aparts_) {
        if (!apart.begun && apart.from <= at && apart.until > at) {
            apart.begun = true;
            begin_or_end(apart, true);
        } else if (apart.begun && apart.until <= at) {
            begin_or_end(apart, false);
        }
    }
    std::erase_if(aparts_, [at](const Apart& apart) { return apart.until <= at; });
    when_apart_next();
}

void Waterfall::set_apart(
    AdvanceId id, std::vector<Run> nodes, bool maintenance, Time from, Time until, Time now) {
    advance(now);
    aparts_.push_back({.id = id,
                       .nodes = std::move(nodes),
                       .maintenance = maintenance,
                       .from = from,
                       .until = until});
    apart_by(now_);
}

void Waterfall::given_back(AdvanceId id, Time now) {
    advance(now);
    std::erase_if(aparts_, [&](const Apart& apart) {
        if (apart.id == id && apart.begun) begin_or_end(apart, false);
        return apart.id == id;
    });
    when_apart_next();
}

// ---------------------------------------------------------------------------------------------
// Time

void Waterfall::advance(Time now) {
    while (next_apart_ <= now) {
        step(next_apart_);
        apart_by(next_apart_);
    }
    step(now);
}

void Waterfall::step(Time to) {
    if (to <= now_) {
        WEIR_ASSERT(to == now_ || now_ == from_);
        return;
    }
    rate_dirty();
    add_to_bins(now_, to);
    now_ = to;
}

void Waterfall::rate_dirty() {
    if (std::exchange(rights_moved_, false)) {
        // A right may go anywhere, whoever gave it back.
        for (const List& list : lists_)
            if (list.asked > 0) touch(list.group);
    }
    for (const std::uint32_t group : dirty_)
        rate(groups_[group]);
    dirty_.clear();
}

// What keeps one job of the list from each pool that it accepts: want of a right counts before want
// of its data.
void Waterfall::find_bars(List& list) {
    const TenantId house = list.key.house;
    list.bars.assign(list.key.pools.size(), Bar::none);
    for (std::size_t i = 0; i < list.charges.size(); ++i) {
        const Charges& charges = list.charges[i];
        if (i > 0 && charges == list.charges[i - 1]) {
            list.bars[i] = list.bars[i - 1];
            continue;
        }
        const bool right = std::all_of(charges.begin(), charges.end(), [&](const Allowance& each) {
            return each.amount <= tree_.available(house, each.resource) ||
                   tree_.owns(house, each.resource, each.amount);
        });
        if (!right) list.bars[i] = Bar::right;
    }
    if (list.reads.empty()) return;
    for (std::size_t i = 0; i < list.bars.size(); ++i) {
        if (list.bars[i] == Bar::right) continue;
        const std::uint32_t site = pools_[list.key.pools[i].value].site;
        const bool there = std::all_of(list.reads.begin(),
                                       list.reads.end(),
                                       [&](std::uint32_t its) { return lies_[its][site]; });
        if (!there) list.bars[i] = Bar::data;
    }
}

// It asks for what it has not found yet in those pools from which just this keeps it.
void Waterfall::ask_round(List& list, Loss loss, Bar bar) {
    const std::vector<PoolId>& pools = list.key.pools;
    for (std::size_t i = 0; i < pools.size() && list.left > 0; ++i) {
        if ((list.bars.empty() ? Bar::none : list.bars[i]) != bar) continue;
        Pool& pool = pools_[pools[i].value];
        const std::uint64_t got = std::min(list.left, pool.left);
        pool.rates[static_cast<std::size_t>(loss)] += got;
        pool.left -= got;
        list.left -= got;
    }
}

// Closes what was so until now, and says what is so from now on.
void Waterfall::rate(Group& group) {
    group.dirty = false;
    for (const std::uint32_t number : group.pools) {
        Pool& pool = pools_[number];
        if (now_ > pool.since) {
            for (std::size_t i = 0; i < at_held; ++i)
                if (pool.rates[i] > 0) pool.losses.of[i] += over(pool.rates[i], now_ - pool.since);
            pool.held_sum += over(pool.rates[at_held], now_ - pool.since);
            pool.since = now_;
        }
        pool.left = pool.nodes.fed();
        for (std::size_t i = 0; i < rates_.size(); ++i)
            rates_[i] -= pool.rates[i];
        pool.rates = {};
    }
    for (const std::uint32_t number : group.pools) {
        const Site& site = sites_[pools_[number].site];
        if (!site.pools.empty() && site.pools.front() == number) limit_site(site);
    }
    const auto rate_of = [](Pool& pool, Loss loss) -> std::uint64_t& {
        return pool.rates[static_cast<std::size_t>(loss)];
    };
    for (const std::uint32_t number : group.pools) {
        Pool& pool = pools_[number];
        const PoolNodes::Sums& sums = pool.nodes.sums();
        rate_of(pool, Loss::failed) = sums.failed;
        rate_of(pool, Loss::drained) = sums.drained;
        rate_of(pool, Loss::unpowered) =
            pool.units - sums.held - sums.failed - sums.drained - pool.left;
        pool.rates[at_held] = sums.held;
    }
    const auto all_ask = [&](auto ask) {
        for (const std::uint32_t number : group.lists)
            if (lists_[number].left > 0) ask(lists_[number]);
    };
    for (const std::uint32_t number : group.lists) {
        List& list = lists_[number];
        list.left = list.asked;
        const bool bound = !list.charges.empty() || !list.reads.empty();
        if (list.asked > 0 && bound) find_bars(list);
    }
    all_ask([this](List& its) { ask_round(its, Loss::fragmented, Bar::none); });
    if (!lies_.empty()) {
        all_ask([this](List& its) { ask_round(its, Loss::awaiting_data, Bar::data); });
    }
    if (!rights_.empty()) {
        all_ask([this](List& its) { ask_round(its, Loss::over_quota, Bar::right); });
    }
    all_ask([this](List& its) {
        for (const PoolId id : its.key.barred) {
            Pool& pool = pools_[id.value];
            const std::uint64_t got = std::min(its.left, pool.left);
            pool.rates[static_cast<std::size_t>(Loss::wrong_precision)] += got;
            pool.left -= got;
            its.left -= got;
        }
    });
    for (const std::uint32_t number : group.pools) {
        Pool& pool = pools_[number];
        rate_of(pool, Loss::not_demanded) = pool.left;
        std::uint64_t& unexplained = rate_of(pool, Loss::fragmented);
        const auto explain = [&](Loss loss, std::uint64_t units) {
            rate_of(pool, loss) = std::min(units, unexplained);
            unexplained -= rate_of(pool, loss);
        };
        explain(Loss::promised, pool.nodes.sums().promised);
        explain(Loss::set_apart, pool.nodes.sums().apart);
        explain(Loss::shared_rest, pool.nodes.sums().shared_rest);
        for (std::size_t i = 0; i < rates_.size(); ++i)
            rates_[i] += pool.rates[i];
    }
}

void Waterfall::add_to_bins(Time begin, Time end) {
    while (begin < end) {
        if (begin == bin_end_) {
            if (bins_.size() == bins_max) {  // twice as wide, half as many
                for (std::size_t i = 0; i < bins_max / 2; ++i) {
                    for (std::size_t k = 0; k < Books::levels; ++k)
                        bins_[i][k] = bins_[2 * i][k] + bins_[2 * i + 1][k];
                }
                bins_.resize(bins_max / 2);
                bin_ *= 2;
            }
            bins_.emplace_back();
            bin_end_ += bin_;
        }
        const Time upto = std::min(end, bin_end_);
        Books::Levels& bin = bins_.back();
        for (std::size_t k = 0; k < Books::levels; ++k)
            if (rates_[k] > 0) bin[k] += over(rates_[k], upto - begin);
        begin = upto;
    }
}

Books Waterfall::books(Time now) {
    advance(now);
    for (Group& group : groups_)
        rate(group);
    dirty_.clear();
    rights_moved_ = false;
    Books books{.unit = unit_,
                .from = from_,
                .until = now_,
                .sites = {},
                .pools = {},
                .tenants = {},
                .total = {},
                .bin = bin_,
                .over_time = bins_};
    for (const Site& site : sites_)
        books.sites.push_back({site.name, {}});
    const auto with_open = [](Losses losses, ChipTime held) {
        WEIR_ASSERT(held >= losses.held());
        losses[Loss::open] = held - losses.held();
        return losses;
    };
    for (const Pool& pool : pools_) {
        books.pools.push_back({pool.facts.name, with_open(pool.losses, pool.held_sum)});
        const Losses& its = books.pools.back().losses;
        WEIR_ASSERT(its.total() == over(pool.units, now_ - from_));
        books.sites[pool.site].losses += its;
        books.total += its;
    }
    for (const Tenant& tenant : tenants_) {
        const ChipTime held = tenant.held_sum + over(tenant.held, now_ - tenant.since);
        books.tenants.push_back({tenant.row.name, with_open(tenant.row.losses, held)});
    }
    return books;
}

}  // namespace weir::tenancy
