#include "weir/sched/quotas.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/fleet/fleet_file.hpp"

namespace weir::sched {

static_assert(fleet::chip_kinds_max < kinds_max);

using tenancy::Allowance;
using tenancy::Amount;
using tenancy::Charges;

Quotas::Quotas(tenancy::Rights rights, const Policy& policy)
    : any_(!rights.empty()), rights_(std::move(rights)) {
    if (!any_) return;
    tree_ = tenancy::QuotaTree(rights_.organisations, rights_.capacity);
    fair_ = tenancy::FairShare(rights_, tree_, policy.fair, policy.fair_half_life);
    pools_of_.resize(rights_.organisations.resources.size());
    versions_.resize(pools_of_.size(), 1);
    gains_.resize(pools_of_.size(), 1);
    moves_.resize(tree_.tenants(), 1);
    is_concerned_.resize(tree_.tenants(), false);
    for (std::uint32_t i = 0; i < tree_.tenants(); ++i) {
        const TenantId parent = tree_.parent(TenantId{i});
        const bool is_below = parent.valid() && tree_.parent(parent).valid();
        house_of_.push_back(is_below ? house_of_[parent.value] : i);
    }
    for (std::uint32_t pool = 0; pool < rights_.measures.size(); ++pool) {
        const tenancy::Rights::PoolMeasure& measure = rights_.measures[pool];
        for (const Charges* const each : {&measure.per_chip, &measure.per_cpu})
            for (const Allowance& one : *each)
                pools_of_[one.resource].push_back(PoolId{pool});
    }
}

ShapeKinds Quotas::kinds_of(const fleet::Shape& shape) const {
    ShapeKinds kinds;
    for (const std::vector<PoolId>& domain : shape.domains) {
        Charges charges = rights_.charges(shape.demand, domain.front());
        auto its = std::find(kinds.charges.begin(), kinds.charges.end(), charges);
        if (its == kinds.charges.end()) {
            WEIR_ASSERT(kinds.charges.size() < kinds_max);
            kinds.charges.push_back(std::move(charges));
            its = std::prev(kinds.charges.end());
        }
        kinds.kind_of_domain.push_back(static_cast<std::uint8_t>(its - kinds.charges.begin()));
    }
    if (kinds.charges.size() == 1 && !kinds.charges.front().empty()) {
        kinds.ordered_by = kinds.charges.front().front().resource;
        if (kinds.charges.front().size() == 1) kinds.counts_only = kinds.ordered_by;
    }
    return kinds;
}

std::uint32_t Quotas::kind_of(const fleet::Shape& shape, const ShapeKinds& kinds, PoolId pool) {
    for (std::size_t domain = 0; domain < shape.domains.size(); ++domain) {
        const std::vector<PoolId>& pools = shape.domains[domain];
        if (std::find(pools.begin(), pools.end(), pool) != pools.end())
            return kinds.kind_of_domain[domain];
    }
    return 0;
}

const fleet::Shape& Quotas::inside(const fleet::Shape& shape, ShapeKinds& kinds, KindSet allowed) {
    if ((allowed & kinds.all()) == kinds.all()) return shape;
    const auto [known, is_new] = kinds.inside.try_emplace(allowed & kinds.all());
    if (!is_new) return known->second;
    fleet::Shape& part = known->second;
    part.demand = shape.demand;
    part.demand.pools.clear();
    std::vector<PoolId> pools;
    for (std::size_t domain = 0; domain < shape.domains.size(); ++domain) {
        if ((allowed >> kinds.kind_of_domain[domain] & 1) == 0) continue;
        part.domains.push_back(shape.domains[domain]);
        pools.insert(pools.end(), shape.domains[domain].begin(), shape.domains[domain].end());
    }
    for (const PoolId pool : shape.demand.pools)
        if (std::find(pools.begin(), pools.end(), pool) != pools.end())
            part.demand.pools.push_back(pool);
    WEIR_ASSERT(!part.domains.empty());
    return part;
}

bool Quotas::may(const tenancy::QuotaTree& tree, TenantId x, const Charges& charges) {
    return std::all_of(charges.begin(), charges.end(), [&](const Allowance& each) {
        return each.amount <= tree.subtree(x, each.resource) - tree.usage(x, each.resource) ||
               each.amount <= tree.available(x, each.resource) ||
               tree.owns(x, each.resource, each.amount);
    });
}

namespace {

template <class Test>
KindSet those(const ShapeKinds& kinds, Test test) {
    KindSet set = 0;
    for (std::size_t kind = 0; kind < kinds.charges.size(); ++kind)
        if (test(kinds.charges[kind])) set |= KindSet{1} << kind;
    return set;
}

}  // namespace

KindSet Quotas::allowed(const tenancy::QuotaTree& tree, TenantId x, const ShapeKinds& kinds) {
    return those(kinds, [&](const Charges& charges) { return may(tree, x, charges); });
}

KindSet Quotas::owned(const tenancy::QuotaTree& tree, TenantId x, const ShapeKinds& kinds) {
    return those(kinds, [&](const Charges& charges) {
        return !charges.empty() &&
               std::all_of(charges.begin(), charges.end(), [&](const Allowance& each) {
                   return tree.owns(x, each.resource, each.amount);
               });
    });
}

KindSet Quotas::possible(TenantId x, const ShapeKinds& kinds) const {
    return those(kinds, [&](const Charges& charges) {
        return std::all_of(charges.begin(), charges.end(), [&](const Allowance& each) {
            const auto would_do = [&](const tenancy::QuotaTree& tree) {
                return each.amount <= tree.potential(x, each.resource);
            };
            return would_do(tree_) ||
                   std::any_of(later_.begin(), later_.end(), [&](const Later& later) {
                       return would_do(later.tree);
                   });
        });
    });
}

tenancy::Standing Quotas::standing(TenantId x, const ShapeKinds& kinds, KindSet allowed) const {
    for (std::size_t kind = 0; kind < kinds.charges.size(); ++kind)
        if ((allowed >> kind & 1) != 0) return fair_.standing(tree_, x, kinds.charges[kind]);
    return {};
}

namespace {

// What `tell` says of the first resource of each kind of which it says anything.
template <class Tell>
std::string each_kind_in_words(const ShapeKinds& kinds, Tell tell) {
    std::string text;
    for (const Charges& charges : kinds.charges) {
        for (const Allowance& each : charges) {
            const std::string words = tell(each);
            if (words.empty()) continue;
            if (!text.empty()) text += "; ";
            text += words;
            break;
        }
    }
    return text;
}

}  // namespace

void Quotas::hold(TenantId x, const Charges& charges, Time until, Time now) {
    refresh(now);
    for (const Allowance& each : charges) {
        tree_.use(x, each.resource, each.amount);
        if (without_recalled_) without_recalled_->use(x, each.resource, each.amount);
        for (Later& later : later_) {
            if (is_concerned_[x.value]) later.with_all.use(x, each.resource, each.amount);
            if (later.from < until) later.tree.use(x, each.resource, each.amount);
        }
    }
    const bool shares = fair_.changed(tree_, x, charges, true, now);
    forget_what_is_left(charges);
    count_change(x, charges, shares, false);
}

void Quotas::release(TenantId x, const Charges& charges, Time until, Time now) {
    refresh(now);
    for (const Allowance& each : charges) {
        tree_.give_back(x, each.resource, each.amount);
        if (without_recalled_) without_recalled_->give_back(x, each.resource, each.amount);
        for (Later& later : later_) {
            if (is_concerned_[x.value]) later.with_all.give_back(x, each.resource, each.amount);
            if (later.from < until) later.tree.give_back(x, each.resource, each.amount);
        }
    }
    const bool shares = fair_.changed(tree_, x, charges, false, now);
    forget_what_is_left(charges);
    count_change(x, charges, shares, true);
}

void Quotas::refresh(Time now) {
    if (!any_ || now < fair_.next_refresh()) return;
    fair_.refresh(tree_, now);
    count_change_of_all();
}

// Somebody holds more, or gives back; shares of its house may be others, which count everywhere.
void Quotas::count_change(TenantId x, const Charges& charges, bool shares, bool gain) {
    ++moves_[house_of_[x.value]];
    if (shares) return count_in_all(gain);
    ++version_;
    for (const Allowance& each : charges) {
        ++versions_[each.resource];
        if (gain) ++gains_[each.resource];
    }
}

void Quotas::count_in_all(bool gain) {
    ++version_;
    for (std::uint64_t& each : versions_)
        ++each;
    for (std::uint64_t& each : gains_)
        each += gain ? 1 : 0;
}

// Who counts nothing somewhere has a place in the order that any change may move.
std::uint64_t Quotas::sum_of_all(const std::vector<std::uint64_t>& changes,
                                 const ShapeKinds& kinds) const {
    std::uint64_t sum = 1;
    for (const Charges& charges : kinds.charges) {
        if (charges.empty()) return version_;
        for (const Allowance& each : charges)
            sum += changes[each.resource];
    }
    return sum;
}

void Quotas::count_change_of_all() {
    count_in_all(true);
    for (std::uint64_t& each : moves_)
        ++each;
}

std::string Quotas::in_words(TenantId x, const ShapeKinds& kinds) const {
    return each_kind_in_words(kinds, [&](const Allowance& each) -> std::string {
        const std::uint32_t r = each.resource;
        if (each.amount <= tree_.available(x, r) || tree_.owns(x, r, each.amount)) return "";
        return fmt::format(
            "{} uses {} of the {} it owns, and {} more may be had now; {} are asked for",
            name_of(x),
            amount_in_words(r, tree_.usage(x, r)),
            amount_in_words(r, tree_.subtree(x, r)),
            amount_in_words(r, tree_.available(x, r)),
            amount_in_words(r, each.amount));
    });
}

std::string Quotas::limits_in_words(TenantId x, const ShapeKinds& kinds) const {
    return each_kind_in_words(kinds, [&](const Allowance& each) -> std::string {
        const std::uint32_t r = each.resource;
        if (each.amount <= tree_.potential(x, r)) return "";
        return fmt::format("{} may have {} at most, its own and what others lend; {} are asked for",
                           name_of(x),
                           amount_in_words(r, tree_.potential(x, r)),
                           amount_in_words(r, each.amount));
    });
}

std::string Quotas::name_of(TenantId x) const {
    const std::string& path = rights_.organisations.tenant(x).path;
    return path.empty() ? "the centre itself" : path;
}

std::string Quotas::amount_in_words(std::uint32_t resource, Amount amount) const {
    return tenancy::format_amount(rights_.organisations.resources[resource],
                                  std::max<Amount>(0, amount));
}

}  // namespace weir::sched
