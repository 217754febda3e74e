// Rights that loans move: trees of quotas for now, for what may still start now, and for each
// moment at which a loan begins or ends. Each tree counts what will still be held at its time.
#include <fmt/format.h>

#include <algorithm>

#include "weir/sched/quotas.hpp"
#include "weir/tenancy/loan.hpp"

namespace weir::sched {

using tenancy::Allowance;
using tenancy::Charges;
using tenancy::QuotaTree;

namespace {

constexpr TenantId root{0};

void give_back(QuotaTree& tree, const Quotas::Held& held) {
    for (const Allowance& each : *held.charges)
        tree.give_back(held.tenant, each.resource, each.amount);
}

// A tree without what somebody holds, for as long as this lives: a few cells are changed and
// changed back, where a copy would be of all organisations.
class Without {
public:
    // Requires: the tree is a member of Quotas, none of which is const.
    Without(const QuotaTree& tree, const Quotas::Held& held)
        : tree_(const_cast<QuotaTree&>(tree)), held_(held) {
        give_back(tree_, held_);
    }
    Without(const Without&) = delete;
    Without& operator=(const Without&) = delete;
    ~Without() {
        for (const Allowance& each : *held_.charges)
            tree_.use(held_.tenant, each.resource, each.amount);
    }

private:
    QuotaTree& tree_;
    const Quotas::Held& held_;
};

}  // namespace

template <class Visit>
void Quotas::at_every_moment(const Run& run, bool starts_anew, const Held* own, Visit visit) const {
    const auto look_at = [&](const QuotaTree& tree, Time from) {
        if (own == nullptr || (from != Time::min() && from >= own->until)) return visit(tree);
        const Without its(tree, *own);
        return visit(tree);
    };
    const Time changes = next_change();
    if (run.from < changes && !look_at(tree_, Time::min())) return;
    if (starts_anew && without_recalled_) {
        Time deadline = Time::min();
        for (const LoanTerm& term : terms_)
            if (term.recalled) deadline = std::max(deadline, term.until);
        if (run.from < deadline && !look_at(*without_recalled_, Time::min())) return;
    }
    for (std::size_t i = 0; i < later_.size(); ++i) {
        const Time ends = i + 1 < later_.size() ? later_[i + 1].from : never;
        const bool is_in_it = later_[i].from < run.until && run.from < ends;
        if (is_in_it && !look_at(later_[i].tree, later_[i].from)) return;
    }
}

// Who is no lender and no borrower, and stands neither above nor below one, has the same quotas at
// all times, and uses less as jobs end; but part of what is available to it comes from the root,
// and there from the houses that loans concern. Whether these leave as much at every later time:
bool Quotas::find_what_is_left(std::uint32_t resource) const {
    const auto left = [&](const QuotaTree& tree) {
        tenancy::Amount sum = 0;
        for (const TenantId house : moved_houses_[resource]) {
            const tenancy::Amount local = tree.local(house, resource);
            sum += tree.subtree(house, resource) - local -
                   std::max<tenancy::Amount>(0, tree.usage(house, resource) - local);
        }
        return sum;
    };
    tenancy::Amount least = left(tree_);
    bool as_much = !without_recalled_ || left(*without_recalled_) >= least;
    for (const Later& later : later_) {
        const tenancy::Amount then = left(later.tree);
        as_much = as_much && then >= least;
        least = then;
    }
    leaves_[resource] = as_much ? Leaves::as_much : Leaves::less;
    return as_much;
}

bool Quotas::is_steady_in_all(TenantId x, const ShapeKinds& kinds) const {
    return std::all_of(kinds.charges.begin(), kinds.charges.end(), [&](const Charges& charges) {
        return std::all_of(charges.begin(), charges.end(), [&](const Allowance& each) {
            return is_steady(x, each.resource);
        });
    });
}

// Lenders, borrowers, those above them but the root, and all below any of these.
void Quotas::note_moved() {
    const std::size_t tenants = rights_.organisations.tenants.size();
    const std::size_t resources = rights_.organisations.resources.size();
    is_moved_.assign(resources, std::vector<bool>(tenants, false));
    moved_.assign(resources, {});
    moved_houses_.assign(resources, {});
    leaves_.assign(resources, Leaves::unknown);
    is_concerned_.assign(tenants, false);
    for (const LoanTerm& term : terms_)
        for (const Allowance& each : term.amounts)
            for (TenantId x : {term.lender, term.borrower})
                for (; x != root; x = tree_.parent(x))
                    is_moved_[each.resource][x.value] = true;
    for (std::uint32_t r = 0; r < resources; ++r) {
        for (std::uint32_t i = 1; i < tenants; ++i) {
            const TenantId parent = tree_.parent(TenantId{i});
            if (parent != root && is_moved_[r][parent.value]) is_moved_[r][i] = true;
            if (!is_moved_[r][i]) continue;
            moved_[r].push_back(TenantId{i});
            is_concerned_[i] = true;
            if (parent == root) moved_houses_[r].push_back(TenantId{i});
        }
    }
}

KindSet Quotas::allowed(TenantId x,
                        const ShapeKinds& kinds,
                        const Run& run,
                        const Held* own) const {
    if (own == nullptr && run.from < next_change() && is_steady(x, kinds)) return allowed(x, kinds);
    KindSet set = kinds.all();
    at_every_moment(run, true, own, [&](const QuotaTree& tree) {
        for (std::size_t kind = 0; kind < kinds.charges.size(); ++kind)
            if (!may(tree, x, kinds.charges[kind])) set &= ~(KindSet{1} << kind);
        return set != 0;
    });
    return set;
}

bool Quotas::may_keep(TenantId x, const Charges& charges, const Run& run, const Held& own) const {
    bool it_may = true;
    at_every_moment(run, false, &own, [&](const QuotaTree& tree) {
        it_may = may(tree, x, charges);
        return it_may;
    });
    return it_may;
}

KindSet Quotas::owned(TenantId x, const ShapeKinds& kinds, const Run& run, const Held* own) const {
    if (own == nullptr && run.from < next_change() && is_steady(x, kinds)) return owned(x, kinds);
    KindSet set = kinds.all();
    at_every_moment(run, true, own, [&](const QuotaTree& tree) {
        set &= owned(tree, x, kinds);
        return set != 0;
    });
    return set;
}

KindSet Quotas::owned_then(TenantId x, const ShapeKinds& kinds, Time at, const Held* own) const {
    const QuotaTree* tree = &tree_;
    for (const Later& later : later_)
        if (is_concerned_[x.value] && later.from <= at) tree = &later.with_all;
    if (own == nullptr) return owned(*tree, x, kinds);
    const Without its(*tree, *own);
    return owned(*tree, x, kinds);
}

bool Quotas::may_own(TenantId x, const ShapeKinds& kinds) const {
    if (owned(tree_, x, kinds) != 0) return true;
    return is_concerned_[x.value] &&
           std::any_of(later_.begin(), later_.end(), [&](const Later& later) {
               return owned(later.with_all, x, kinds) != 0;
           });
}

tenancy::Standing Quotas::standing(TenantId x,
                                   const ShapeKinds& kinds,
                                   KindSet allowed,
                                   const Run& run) const {
    if (run.from < next_change() && is_steady(x, kinds)) return standing(x, kinds, allowed);
    tenancy::Standing worst;
    std::size_t kind = 0;
    while (kind < kinds.charges.size() && (allowed >> kind & 1) == 0)
        ++kind;
    if (kind == kinds.charges.size()) return worst;
    at_every_moment(run, true, nullptr, [&](const QuotaTree& tree) {
        worst = std::max(worst, fair_.standing(tree, x, kinds.charges[kind]));
        return true;
    });
    return worst;
}

Time Quotas::last_end(TenantId x, const ShapeKinds& kinds, Time now) const {
    // The longer it runs, the fewer places.
    KindSet set = allowed(x, kinds, {now, now + Duration{1}}, nullptr);
    if (set == 0) return now;
    if (is_steady(x, kinds)) return never;
    for (const Later& later : later_) {
        if (later.from <= now) continue;
        set &= allowed(later.tree, x, kinds);
        if (set == 0) return later.from;
    }
    return never;
}

std::vector<Time> Quotas::borders(Duration limit, Time now) const {
    std::vector<Time> times;
    for (const Later& later : later_) {
        if (later.from > now) times.push_back(later.from);
        // Whoever starts later than this runs into that change.
        if (limit < forever && later.from - limit >= now)
            times.push_back(later.from - limit + Duration{1});
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    return times;
}

Time Quotas::next_border(Duration limit, Time now) const {
    Time next = never;
    for (const Later& later : later_) {
        if (later.from > now) next = std::min(next, later.from);
        if (limit < forever && later.from - limit >= now)
            next = std::min(next, later.from - limit + Duration{1});
    }
    return next;
}

const QuotaTree& Quotas::tree_at(Time at) const {
    const QuotaTree* tree = &tree_;
    for (const Later& later : later_)
        if (later.from <= at) tree = &later.tree;
    return *tree;
}

// One walk through time: what ends is given back, at the beginning or end of a loan the tree is
// another, and whoever then has a right, until its own end, is no longer looked at.
void Quotas::find_first_rights(std::vector<Hope>& hopes,
                               std::vector<Held> held,
                               Time now,
                               std::uint64_t& work_left) const {
    std::sort(
        held.begin(), held.end(), [](const Held& a, const Held& b) { return a.until < b.until; });
    std::vector<std::size_t> open(hopes.size());
    for (std::size_t i = 0; i < open.size(); ++i)
        open[i] = i;
    QuotaTree tree = without_recalled_ ? *without_recalled_ : tree_;
    auto ends = held.begin();
    auto changes = later_.begin();
    while (!open.empty() && work_left > 0) {
        const Time next_end = ends == held.end() ? never : ends->until;
        const Time at = std::min(next_end, changes == later_.end() ? never : changes->from);
        if (at == never) return;
        std::vector<bool> touched(rights_.organisations.resources.size(), false);
        for (; ends != held.end() && ends->until <= at; ++ends) {
            give_back(tree, *ends);
            for (const Allowance& each : *ends->charges)
                touched[each.resource] = true;
        }
        if (changes != later_.end() && changes->from == at) {
            tree = changes->tree;  // without what has ended until then
            touched.assign(touched.size(), true);
            ++changes;
        }
        const auto is_settled = [&](std::size_t i) {
            Hope& hope = hopes[i];
            const auto asks_for_it = [&](const Charges& charges) {
                return std::any_of(charges.begin(), charges.end(), [&](const Allowance& each) {
                    return touched[each.resource];
                });
            };
            const auto& all = hope.kinds->charges;
            if (work_left == 0 || std::none_of(all.begin(), all.end(), asks_for_it)) return false;
            work_left -= std::min<std::uint64_t>(work_left, all.size());
            KindSet set = allowed(tree, hope.tenant, *hope.kinds);
            const Time until = hope.limit < forever ? at + hope.limit : never;
            for (auto later = changes; set != 0 && later != later_.end(); ++later)
                if (later->from < until) set &= allowed(later->tree, hope.tenant, *hope.kinds);
            if (set == 0) return false;
            hope.from = std::max(at, now);
            hope.where = set;
            return true;
        };
        std::erase_if(open, is_settled);
    }
}

void Quotas::set_term(const LoanTerm& term) {
    const auto its = std::find_if(
        terms_.begin(), terms_.end(), [&](const LoanTerm& each) { return each.loan >= term.loan; });
    if (its != terms_.end() && its->loan == term.loan) {
        *its = term;
    } else {
        terms_.insert(its, term);
    }
}

void Quotas::rebuild(const std::vector<Held>& held, Time now) {
    std::erase_if(terms_, [now](const LoanTerm& term) { return term.until <= now; });
    // The rights at a moment, and what is held then.
    const auto tree_with = [&](Time at, bool recalled_too, Time held_at) {
        tenancy::Organisations moved = rights_.organisations;
        for (const LoanTerm& term : terms_)
            if (term.from <= at && at < term.until && (recalled_too || !term.recalled))
                tenancy::move_quota(moved, term.lender, term.borrower, term.amounts);
        QuotaTree tree(moved, rights_.capacity);
        // Very many hold something, and what one organisation holds counts together.
        std::vector<tenancy::Amount> sums(std::size_t{tree.tenants()} * tree.resources(), 0);
        for (const Held& each : held) {
            if (each.until <= held_at) continue;
            for (const Allowance& one : *each.charges)
                sums[std::size_t{each.tenant.value} * tree.resources() + one.resource] +=
                    one.amount;
        }
        for (std::uint32_t x = 0; x < tree.tenants(); ++x)
            for (std::uint32_t r = 0; r < tree.resources(); ++r)
                if (const tenancy::Amount sum = sums[std::size_t{x} * tree.resources() + r];
                    sum > 0)
                    tree.use(TenantId{x}, r, sum);
        return tree;
    };
    tree_ = tree_with(now, true, Time::min());
    const bool any_recalled = std::any_of(
        terms_.begin(), terms_.end(), [](const LoanTerm& term) { return term.recalled; });
    without_recalled_.reset();
    if (any_recalled) without_recalled_ = tree_with(now, false, Time::min());
    std::vector<Time> moments;
    for (const LoanTerm& term : terms_) {
        if (term.from > now) moments.push_back(term.from);
        if (term.until < never) moments.push_back(term.until);
    }
    std::sort(moments.begin(), moments.end());
    moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
    later_.clear();
    for (const Time at : moments)
        later_.push_back({at, tree_with(at, true, at), tree_with(at, true, Time::min())});
    note_moved();
    fair_.rights_changed(tree_, now);
    count_change_of_all();
}

// Who stops is gone earlier than by its limit.
void Quotas::change_end(const Held& held, Time until) {
    for (Later& later : later_)
        if (until <= later.from && later.from < held.until) give_back(later.tree, held);
    forget_what_is_left(*held.charges);
    count_change_of_all();
}

std::vector<PoolId> Quotas::pools_on_loan() const {
    std::vector<PoolId> pools;
    for (const LoanTerm& term : terms_)
        for (const Allowance& each : term.amounts)
            pools.insert(
                pools.end(), pools_of_[each.resource].begin(), pools_of_[each.resource].end());
    std::sort(pools.begin(), pools.end());
    pools.erase(std::unique(pools.begin(), pools.end()), pools.end());
    return pools;
}

std::string Quotas::loan_in_words(TenantId x, const ShapeKinds& kinds, Time end) const {
    std::string text;
    for (const LoanTerm& term : terms_) {
        for (const Allowance& lent : term.amounts) {
            const bool asked = std::any_of(
                kinds.charges.begin(), kinds.charges.end(), [&](const Charges& charges) {
                    return std::any_of(charges.begin(), charges.end(), [&](const Allowance& one) {
                        return one.resource == lent.resource;
                    });
                });
            if (!asked) continue;
            std::string words;
            const std::string amount = amount_in_words(lent.resource, lent.amount);
            if (tree_.is_inside(x, term.borrower) && (term.recalled || term.until < end)) {
                words = fmt::format("the loan of {} from {} {} {}",
                                    amount,
                                    name_of(term.lender),
                                    term.recalled ? "is called back for" : "ends at",
                                    format_time(term.until));
                if (term.until < end && end < never)
                    words +=
                        fmt::format(", and by its limit it would run until {}", format_time(end));
            } else if (tree_.is_inside(x, term.lender)) {
                words = fmt::format("{} has lent {} to {} until {}",
                                    name_of(term.lender),
                                    amount,
                                    name_of(term.borrower),
                                    format_time(term.until));
            }
            if (words.empty()) continue;
            text += (text.empty() ? "" : "; ") + words;
        }
    }
    return text;
}

}  // namespace weir::sched
