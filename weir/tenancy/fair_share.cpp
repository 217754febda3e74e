#include "weir/tenancy/fair_share.hpp"

#include <algorithm>
#include <limits>

#include "weir/base/assert.hpp"

namespace weir::tenancy {
namespace {

constexpr double share_unit = 1e6;
constexpr std::uint32_t value_max = Standing::borrows - 1;

std::uint32_t bounded(double value) {
    return value >= static_cast<double>(value_max) ? value_max : static_cast<std::uint32_t>(value);
}

}  // namespace

double decay(Duration dt, Duration half_life) {
    // 2^(-1/2), 2^(-1/4), ... 2^(-1/65536): correctly rounded.
    constexpr std::array<double, 16> roots{0.70710678118654757,
                                           0.84089641525371450,
                                           0.91700404320467121,
                                           0.95760328069857365,
                                           0.97857206208770009,
                                           0.98922801319397546,
                                           0.99459942348363317,
                                           0.99729605608547012,
                                           0.99864711289097017,
                                           0.99932332750265076,
                                           0.99966160649624371,
                                           0.99983078893192903,
                                           0.99991539088661363,
                                           0.99995769454843115,
                                           0.99997884705049050,
                                           0.99998942346931442};
    const std::int64_t whole = dt.count() / half_life.count();
    if (whole >= 1000) return 0;
    double factor = 1;
    for (std::int64_t i = 0; i < whole; ++i)
        factor *= 0.5;
    // Of what is left, 1/65536 of a half-life at a time.
    double rest = static_cast<double>(dt.count() % half_life.count()) /
                  static_cast<double>(half_life.count());
    for (const double root : roots) {
        rest *= 2;
        if (rest < 1) continue;
        rest -= 1;
        factor *= root;
    }
    return factor;
}

FairShare::FairShare(const Rights& rights, FairRule rule, Duration half_life)
    : rule_(rule),
      half_life_(half_life),
      resources_(static_cast<std::uint32_t>(rights.organisations.resources.size())),
      capacity_(rights.capacity),
      children_(rights.organisations.tenants.size()) {
    for (std::uint32_t i = 0; i < children_.size(); ++i) {
        const Tenant& tenant = rights.organisations.tenants[i];
        Level level{.parent = tenant.parent, .weight_milli = tenant.weight_milli};
        if (i > 0) {
            level.depth = levels_[tenant.parent.value].depth + 1;
            children_[tenant.parent.value].push_back(TenantId{i});
        }
        levels_.push_back(level);
    }
    past_.resize(levels_.size() * resources_);
    if (rule_ == FairRule::tree) rank_all();
}

void FairShare::bring_up(Past& past, Time now) const {
    if (half_life_ > Duration{} && past.until != Time::min() && past.until < now) {
        const double old = decay(now - past.until, half_life_);
        past.mean = static_cast<double>(past.now) * (1 - old) + past.mean * old;
    }
    past.until = now;
}

// The share of x, and whether it borrows.
void FairShare::update(const QuotaTree& tree, TenantId x) {
    Level& level = levels_[x.value];
    level.borrows = false;
    if (!level.parent.valid()) return;
    double share = 0;
    for (std::uint32_t r = 0; r < resources_; ++r) {
        const Amount borrowed = tree.borrowed(x, r);
        if (borrowed == 0) continue;
        level.borrows = true;
        if (rule_ != FairRule::drf) continue;
        const double lendable =
            static_cast<double>(std::max<Amount>(1, tree.potential(level.parent, r)));
        share = std::max(share, (static_cast<double>(borrowed) + past(x, r).mean) / lendable);
    }
    if (rule_ == FairRule::drf)
        level.value = bounded(share * share_unit * 1000 / level.weight_milli);
}

void FairShare::changed(
    const QuotaTree& tree, TenantId x, const Charges& charges, bool more, Time now) {
    for (const Allowance& each : charges) {
        if (rule_ == FairRule::tree) {
            Past& its = past(x, each.resource);
            bring_up(its, now);
            its.now += more ? each.amount : -each.amount;
            continue;
        }
        for (TenantId y = x; y.valid(); y = levels_[y.value].parent) {
            Past& its = past(y, each.resource);
            bring_up(its, now);
            its.now = tree.borrowed(y, each.resource);
        }
    }
    for (TenantId y = x; y.valid(); y = levels_[y.value].parent)
        update(tree, y);
}

void FairShare::refresh(const QuotaTree& tree, Time now) {
    next_refresh_ = now + sample_period;
    for (Past& each : past_)
        bring_up(each, now);
    for (std::uint32_t i = 0; i < levels_.size(); ++i)
        update(tree, TenantId{i});
    if (rule_ == FairRule::tree) rank_all();
}

// Depth first, whoever used least for its weight before its siblings; equal siblings together.
void FairShare::rank_all() {
    std::vector<double> used(levels_.size(), 0);
    for (std::uint32_t i = static_cast<std::uint32_t>(levels_.size()); i-- > 0;) {
        for (std::uint32_t r = 0; r < resources_; ++r) {
            if (capacity_[r] == 0) continue;
            const Past& its = past(TenantId{i}, r);
            const double amount = half_life_ > Duration{} ? its.mean : static_cast<double>(its.now);
            used[i] += amount / static_cast<double>(capacity_[r]);
        }
        if (i > 0) used[levels_[i].parent.value] += used[i];
    }
    std::vector<double> factor(levels_.size(), 0);
    for (const std::vector<TenantId>& siblings : children_) {
        double weights = 0;
        double sum = 0;
        for (const TenantId x : siblings) {
            weights += levels_[x.value].weight_milli;
            sum += used[x.value];
        }
        for (const TenantId x : siblings) {
            const double share = levels_[x.value].weight_milli / weights;
            factor[x.value] = used[x.value] > 0 ? share / (used[x.value] / sum)
                                                : std::numeric_limits<double>::infinity();
        }
    }
    std::uint32_t rank = 0;
    const auto walk = [&](const auto& again, const std::vector<TenantId>& together) -> void {
        for (const TenantId x : together)
            levels_[x.value].value = std::min(rank, value_max);
        ++rank;
        std::vector<TenantId> below;
        for (const TenantId x : together)
            below.insert(below.end(), children_[x.value].begin(), children_[x.value].end());
        std::sort(below.begin(), below.end(), [&](TenantId a, TenantId b) {
            return factor[a.value] != factor[b.value] ? factor[a.value] > factor[b.value] : a < b;
        });
        for (std::size_t i = 0; i < below.size();) {
            std::vector<TenantId> equals;
            const double its = factor[below[i].value];
            for (; i < below.size() && factor[below[i].value] == its; ++i)
                equals.push_back(below[i]);
            again(again, equals);
        }
    };
    if (!levels_.empty()) walk(walk, {TenantId{0}});
}

Standing FairShare::standing(TenantId x) const {
    Standing its;
    if (rule_ == FairRule::tree) its.at[0] = levels_[x.value].value;
    for (TenantId y = x; y.valid(); y = levels_[y.value].parent) {
        const Level& level = levels_[y.value];
        if (level.depth == 0) break;
        if (rule_ == FairRule::tree) {
            if (level.borrows) its.at[0] |= Standing::borrows;
        } else if (level.depth <= Standing::levels) {
            its.at[level.depth - 1] = level.value | (level.borrows ? Standing::borrows : 0);
        }
    }
    return its;
}

Standing FairShare::standing(const QuotaTree& tree, TenantId x, const Charges& charges) const {
    Standing its = standing(x);
    for (const Allowance& each : charges) {
        Amount more = each.amount;
        for (TenantId y = x; more > 0 && levels_[y.value].parent.valid();
             y = levels_[y.value].parent) {
            const Amount usage = tree.usage(y, each.resource);
            const Amount local = tree.local(y, each.resource);
            const std::size_t level = rule_ == FairRule::tree ? 0 : levels_[y.value].depth - 1;
            if (level < Standing::levels && usage + more > tree.subtree(y, each.resource))
                its.at[level] |= Standing::borrows;
            more = std::max<Amount>(0, usage + more - local) - std::max<Amount>(0, usage - local);
        }
    }
    return its;
}

}  // namespace weir::tenancy
