#include "weir/tenancy/fair_share.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

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

FairShare::FairShare(const Rights& rights, const QuotaTree& tree, FairRule rule, Duration half_life)
    : rule_(rule),
      half_life_(half_life),
      resources_(static_cast<std::uint32_t>(rights.organisations.resources.size())),
      below_(rights.organisations.tenants.size()),
      capacity_(rights.capacity),
      children_(rights.organisations.tenants.size()),
      order_(rights.organisations.resources.size()) {
    for (std::uint32_t i = 0; i < children_.size(); ++i) {
        const Tenant& tenant = rights.organisations.tenants[i];
        Level level{.parent = tenant.parent, .weight_milli = tenant.weight_milli};
        if (i > 0) {
            level.depth = levels_[tenant.parent.value].depth + 1;
            children_[tenant.parent.value].push_back(TenantId{i});
        }
        levels_.push_back(level);
        for (TenantId above{i}; above.valid(); above = levels_[above.value].parent)
            below_[above.value].push_back(TenantId{i});
        for (std::uint32_t r = 0; r < resources_; ++r) {
            // What the parent could have of r if nobody used anything.
            const Amount lendable = i > 0 ? tree.potential(tenant.parent, r) : 1;
            unit_.push_back(share_unit * 1000 / static_cast<double>(std::max<Amount>(1, lendable)) /
                            tenant.weight_milli);
        }
    }
    past_.resize(levels_.size() * resources_);
    floors_.resize(levels_.size() * resources_);
    for (std::vector<TenantId>& order : order_)
        for (std::uint32_t i = 0; i < levels_.size(); ++i)
            order.push_back(TenantId{i});
    if (rule_ == FairRule::tree) rank_all();
    place_all(tree);
}

void FairShare::note(Past& past, Amount amount, Time now) const {
    const Time since = std::max(past.since, sampled_);
    if (since != Time::min() && since < now)
        past.area += static_cast<double>(past.now) * static_cast<double>((now - since).count());
    past.since = now;
    past.now = amount;
}

// The share of x; true if it is another one.
bool FairShare::update(const QuotaTree& tree, TenantId x) {
    if (rule_ != FairRule::drf || x.value == 0) return false;
    Level& level = levels_[x.value];
    double share = 0;
    for (std::uint32_t r = 0; r < resources_; ++r) {
        // Who borrows nothing now has borrowed before, and that counts until it has faded.
        const Amount borrowed = tree.borrowed(x, r);
        const std::size_t cell = std::size_t{x.value} * resources_ + r;
        share = std::max(share, (static_cast<double>(borrowed) + past_[cell].mean) * unit_[cell]);
    }
    const std::uint32_t value = bounded(share);
    return std::exchange(level.value, value) != value;
}

bool FairShare::changed(
    const QuotaTree& tree, TenantId x, const Charges& charges, bool more, Time now) {
    if (sampled_ == Time::min()) {
        sampled_ = now;
        next_refresh_ = now + sample_period;
    }
    TenantId highest = x;  // whose share is another one: all below it move
    bool shares = false;
    for (TenantId y = x; y.valid(); y = levels_[y.value].parent) {
        for (const Allowance& each : charges) {
            Past& its = past(y, each.resource);
            if (rule_ == FairRule::tree) {
                if (y == x) note(its, its.now + (more ? each.amount : -each.amount), now);
            } else if (const Amount borrowed = tree.borrowed(y, each.resource);
                       borrowed != its.now) {
                note(its, borrowed, now);
            }
        }
        if (!update(tree, y)) continue;
        highest = y;
        shares = true;
    }
    if (shares) {
        for (const TenantId y : below_[highest.value])
            for (std::uint32_t r = 0; r < resources_; ++r)
                place(tree, y, r);
    }
    // Without another share, somebody on the way up may borrow now, or no more.
    for (const Allowance& each : charges) {
        TenantId top = TenantId::none();
        for (TenantId y = x; y.value != 0; y = levels_[y.value].parent) {
            const Amount beyond = tree.usage(y, each.resource) - tree.subtree(y, each.resource);
            if (std::abs(beyond) <= each.amount) top = y;
        }
        if (!top.valid()) continue;
        for (const TenantId y : below_[top.value])
            place(tree, y, each.resource);
    }
    return shares;
}

void FairShare::rights_changed(const QuotaTree& tree, Time now) {
    for (std::uint32_t i = 0; i < levels_.size(); ++i) {
        for (std::uint32_t r = 0; r < resources_ && rule_ != FairRule::tree; ++r) {
            Past& its = past(TenantId{i}, r);
            if (const Amount borrowed = tree.borrowed(TenantId{i}, r); borrowed != its.now)
                note(its, borrowed, now);
        }
        update(tree, TenantId{i});
    }
    place_all(tree);
}

void FairShare::refresh(const QuotaTree& tree, Time now) {
    next_refresh_ = now + sample_period;
    if (half_life_ > Duration{}) {
        const bool is_new = sampled_ == Time::min() || now == sampled_;
        const double old = is_new ? 1 : decay(now - sampled_, half_life_);
        for (Past& each : past_) {
            note(each, each.now, now);
            if (old < 1)
                each.mean = each.mean * old +
                            each.area / static_cast<double>((now - sampled_).count()) * (1 - old);
            each.area = 0;
        }
    }
    sampled_ = now;
    for (std::uint32_t i = 0; i < levels_.size(); ++i)
        update(tree, TenantId{i});
    if (rule_ == FairRule::tree) rank_all();
    place_all(tree);
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

Standing FairShare::floor_of(const QuotaTree& tree, TenantId x, std::uint32_t r) const {
    Standing its;
    if (rule_ == FairRule::tree) its.at[0] = levels_[x.value].value;
    for (TenantId y = x; y.value != 0; y = levels_[y.value].parent) {
        const Level& level = levels_[y.value];
        const std::uint32_t borrows = tree.borrowed(y, r) > 0 ? Standing::borrows : 0;
        if (rule_ == FairRule::tree) {
            its.at[0] |= borrows;
        } else if (level.depth <= Standing::levels) {
            its.at[level.depth - 1] = level.value | borrows;
        }
    }
    return its;
}

// Moves x to where it is in the order now.
void FairShare::place(const QuotaTree& tree, TenantId x, std::uint32_t r) {
    Standing& known = floors_[std::size_t{r} * levels_.size() + x.value];
    const Standing its = floor_of(tree, x, r);
    if (its == known) return;
    std::vector<TenantId>& order = order_[r];
    const auto before = [&](TenantId a, TenantId b) {
        const Standing& of_a = floor(a, r);
        const Standing& of_b = floor(b, r);
        return of_a != of_b ? of_a < of_b : a < b;
    };
    const auto from = std::lower_bound(order.begin(), order.end(), x, before);
    const bool back = known < its;
    known = its;
    if (back) {
        const auto to = std::lower_bound(from + 1, order.end(), x, before);
        std::move(from + 1, to, from);
        *(to - 1) = x;
    } else {
        const auto to = std::lower_bound(order.begin(), from, x, before);
        std::move_backward(to, from, from + 1);
        *to = x;
    }
}

void FairShare::place_all(const QuotaTree& tree) {
    for (std::uint32_t r = 0; r < resources_; ++r) {
        for (std::uint32_t i = 0; i < levels_.size(); ++i)
            floors_[std::size_t{r} * levels_.size() + i] = floor_of(tree, TenantId{i}, r);
        std::sort(order_[r].begin(), order_[r].end(), [&](TenantId a, TenantId b) {
            const Standing& of_a = floor(a, r);
            const Standing& of_b = floor(b, r);
            return of_a != of_b ? of_a < of_b : a < b;
        });
    }
}

Standing FairShare::standing(const QuotaTree& tree, TenantId x, const Charges& charges) const {
    Standing its;
    if (rule_ == FairRule::tree) {
        its.at[0] = levels_[x.value].value;
    } else {
        for (TenantId y = x; y.value != 0; y = levels_[y.value].parent)
            if (levels_[y.value].depth <= Standing::levels)
                its.at[levels_[y.value].depth - 1] = levels_[y.value].value;
    }
    for (const Allowance& each : charges) {
        Amount more = each.amount;
        for (TenantId y = x; y.value != 0; y = levels_[y.value].parent) {
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
