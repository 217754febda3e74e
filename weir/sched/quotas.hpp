// Quotas: what the rights of organisations mean for the gangs that wait: in which kinds of pools a
// gang may start, what it counts there, and who goes first.
//
// Pools in which a gang counts the same are one *kind* for its shape: nearly always those with the
// same chip. A gang may start in a kind if its organisation owns what it counts there (others may
// have borrowed it: then they are in its way, but not its rights), or if so much is available. What
// runs counts as used, and what is promised, too: so a promise can be kept whatever others do.
//
// Loans make rights depend on time: from its start on a loan is quota of the borrower and no longer
// of the lender, until its end, or until the deadline when it is called back. So a gang may start,
// or be promised a start, if it has the right at every moment until its limit, by what will still
// be held then; whoever would outlast a loan does not count on it. Once a loan is called back,
// nothing more starts on it, and what runs keeps it until the deadline.
//
//     lender    ██ 4 ██│░░░░░░░░ 1 ░░░░░░░░░░░│██ 4 ██
//     borrower         │████████ 3 ███████████│              (quota, by tree)
//                      from       recall      until
//
// Threads: one at a time. Cost: O(kinds x depth of the tree) each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/fleet/free_index.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/policy.hpp"
#include "weir/tenancy/fair_share.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::sched {

// Kinds of one shape, a bit each.
using KindSet = std::uint64_t;
inline constexpr KindSet every_kind = ~KindSet{0};
inline constexpr std::size_t kinds_max = 64;

struct ShapeKinds {
    std::vector<tenancy::Charges> charges;     // by kind; empty where nobody is limited
    std::vector<std::uint8_t> kind_of_domain;  // beside Shape::domains
    std::map<KindSet, fleet::Shape> inside;    // the shape in some of its kinds only
    // The resource that orders organisations; none where there are several kinds, or no limits.
    static constexpr std::uint32_t no_resource = ~std::uint32_t{0};
    std::uint32_t ordered_by = no_resource;
    std::uint32_t counts_only = no_resource;  // the same, where it counts nothing else

    [[nodiscard]] KindSet all() const {
        return charges.size() >= kinds_max ? every_kind : (KindSet{1} << charges.size()) - 1;
    }
};

class Quotas {
public:
    Quotas(tenancy::Rights rights, const Policy& policy);

    // Whether anybody is limited; else nothing below may be asked.
    [[nodiscard]] bool any() const { return any_; }

    [[nodiscard]] ShapeKinds kinds_of(const fleet::Shape& shape) const;
    [[nodiscard]] static std::uint32_t kind_of(const fleet::Shape& shape,
                                               const ShapeKinds& kinds,
                                               PoolId pool);
    // The shape in those kinds only. Requires: at least one.
    [[nodiscard]] static const fleet::Shape& inside(const fleet::Shape& shape,
                                                    ShapeKinds& kinds,
                                                    KindSet allowed);

    // Where a gang of x may start by its rights; where it owns what it counts; where it might if
    // nobody used anything.
    [[nodiscard]] KindSet allowed(TenantId x, const ShapeKinds& kinds) const {
        return allowed(tree_, x, kinds);
    }
    [[nodiscard]] static KindSet allowed(const tenancy::QuotaTree& tree,
                                         TenantId x,
                                         const ShapeKinds& kinds);
    [[nodiscard]] KindSet owned(TenantId x, const ShapeKinds& kinds) const {
        return owned(tree_, x, kinds);
    }
    [[nodiscard]] static KindSet owned(const tenancy::QuotaTree& tree,
                                       TenantId x,
                                       const ShapeKinds& kinds);
    [[nodiscard]] KindSet possible(TenantId x, const ShapeKinds& kinds) const;

    // What somebody holds, and until when by its limit.
    struct Held {
        TenantId tenant;
        const tenancy::Charges* charges = nullptr;
        Time until = never;
    };
    // The time in which a gang would run, its end not included.
    struct Run {
        Time from{};
        Time until = never;
    };
    // Where there are loans (else nothing of this may be asked): what was said of a gang at one
    // moment, for all of its run. `own` is what it holds itself, by a promise; null = nothing.
    [[nodiscard]] bool lends() const { return !terms_.empty(); }
    [[nodiscard]] KindSet allowed(TenantId x,
                                  const ShapeKinds& kinds,
                                  const Run& run,
                                  const Held* own) const;
    // Beside that, a promise keeps a loan that was called back as long as what runs does.
    [[nodiscard]] bool may_keep(TenantId x,
                                const tenancy::Charges& charges,
                                const Run& run,
                                const Held& own) const;
    [[nodiscard]] KindSet owned(TenantId x,
                                const ShapeKinds& kinds,
                                const Run& run,
                                const Held* own) const;
    // By the quotas of a later time, whoever holds something now still holding it.
    [[nodiscard]] KindSet owned_then(TenantId x,
                                     const ShapeKinds& kinds,
                                     Time at,
                                     const Held* own) const;
    // Whether x may own what it asks for now or later, whoever holds something now still holding
    // it; without, it owns it at no time.
    [[nodiscard]] bool may_own(TenantId x, const ShapeKinds& kinds) const;
    // The worst of its places in the order.
    [[nodiscard]] tenancy::Standing standing(TenantId x,
                                             const ShapeKinds& kinds,
                                             KindSet allowed,
                                             const Run& run) const;
    // A gang of x that starts now has no right anywhere if it ends after this.
    [[nodiscard]] Time last_end(TenantId x, const ShapeKinds& kinds, Time now) const;
    // Whether loans move nothing of what x may use or owns in these kinds: whatever its rights are
    // now, at any later time they are the same or, by what has ended until then, more.
    [[nodiscard]] bool is_steady(TenantId x, const ShapeKinds& kinds) const {
        return kinds.counts_only != ShapeKinds::no_resource ? is_steady(x, kinds.counts_only)
                                                            : is_steady_in_all(x, kinds);
    }
    // Whether rights asked for `now` hold for a stay of any length: nothing is lent, or loans move
    // nothing of it.
    [[nodiscard]] bool are_the_same_at_any_time(TenantId x,
                                                const ShapeKinds& kinds,
                                                Time now) const {
        return !lends() || (now < next_change() && is_steady(x, kinds));
    }
    // Organisations of which this may not be so, by resource.
    [[nodiscard]] const std::vector<TenantId>& moved_by_loans(std::uint32_t resource) const {
        return moved_[resource];
    }
    // The times after `now` at which the rights of a gang with this limit may be others.
    [[nodiscard]] std::vector<Time> borders(Duration limit, Time now) const;
    // The first of them; `never` if there is none.
    [[nodiscard]] Time next_border(Duration limit, Time now) const;
    // Rights as they will be at that time, by what is held now and will be then.
    [[nodiscard]] const tenancy::QuotaTree& tree_at(Time at) const;
    // When rights change next by time alone.
    [[nodiscard]] Time next_change() const { return later_.empty() ? never : later_.front().from; }
    // After this the rights have to be worked out anew from all that is held.
    void set_term(const LoanTerm& term);
    void rebuild(const std::vector<Held>& held, Time now);
    void change_end(const Held& held, Time until);
    // Pools that count anything that is on loan.
    [[nodiscard]] std::vector<PoolId> pools_on_loan() const;
    // "shop counts on the loan of 3 h200 from lab, which is called back for 12:00, before ...".
    [[nodiscard]] std::string loan_in_words(TenantId x, const ShapeKinds& kinds, Time end) const;

    // Who has no right now, and from when on it has one, where, if nobody starts and who holds
    // something holds it until its end; never: not by that.
    struct Hope {
        TenantId tenant;
        const ShapeKinds* kinds = nullptr;
        Duration limit{};
        Time from = never;
        KindSet where = 0;
    };
    // Asks for at most so much work, and takes off what it did; who is left over then keeps never.
    // Cost: O(held x log(held)), and O(hopes x kinds x depth) for each time at which anything ends.
    void find_first_rights(std::vector<Hope>& hopes,
                           std::vector<Held> held,
                           Time now,
                           std::uint64_t& work_left) const;

    // The order among those who wait, by the first kind of `allowed`.
    [[nodiscard]] tenancy::Standing standing(TenantId x,
                                             const ShapeKinds& kinds,
                                             KindSet allowed) const;
    // No job of x that uses this resource alone goes before this ...
    [[nodiscard]] const tenancy::Standing& floor(TenantId x, std::uint32_t resource) const {
        return fair_.floor(x, resource);
    }
    // ... and so all are in order.
    [[nodiscard]] const std::vector<TenantId>& in_order(std::uint32_t resource) const {
        return fair_.in_order(resource);
    }
    [[nodiscard]] std::uint32_t fair_value(TenantId x) const { return fair_.value(x); }

    // until: by the limit of who holds it.
    void hold(TenantId x, const tenancy::Charges& charges, Time until, Time now);
    void release(TenantId x, const tenancy::Charges& charges, Time until, Time now);
    // The past counts less.
    void refresh(Time now);

    // Counts changes of usage or order ...
    [[nodiscard]] std::uint64_t version() const { return version_; }
    // ... those that matter to who asks for these kinds ...
    [[nodiscard]] std::uint64_t version_of(const ShapeKinds& kinds) const {
        return sum_of(versions_, kinds);
    }
    // ... and of these the ones by which somebody may have more rights or go further ahead ...
    [[nodiscard]] std::uint64_t gains_of(const ShapeKinds& kinds) const {
        return sum_of(gains_, kinds);
    }
    // ... if all others take rights away and move back, at any time, which is so where there is one
    // kind.
    [[nodiscard]] static bool only_gains_help(const ShapeKinds& kinds) {
        return kinds.charges.size() == 1;
    }
    // Counts what may move x in the order: changes in its own house, below the root, and of all.
    [[nodiscard]] std::uint64_t moves_of(TenantId x) const { return moves_[house_of_[x.value]]; }
    // Pools that count any of these.
    [[nodiscard]] const std::vector<PoolId>& pools_of(std::uint32_t resource) const {
        return pools_of_[resource];
    }
    [[nodiscard]] const tenancy::Rights& rights() const { return rights_; }
    [[nodiscard]] const tenancy::QuotaTree& tree() const { return tree_; }

    // "bigco/search uses 30 of the 30 h200 it owns and may borrow 4 more; 8 are asked for".
    [[nodiscard]] std::string in_words(TenantId x, const ShapeKinds& kinds) const;
    // "bigco/search may have 30 h200 at most, its own and what others lend; 64 are asked for".
    [[nodiscard]] std::string limits_in_words(TenantId x, const ShapeKinds& kinds) const;

private:
    [[nodiscard]] static bool may(const tenancy::QuotaTree& tree,
                                  TenantId x,
                                  const tenancy::Charges& charges);
    // visit(tree) with the rights of every moment of a run, without what `own` holds then, while it
    // says true.
    template <class Visit>
    void at_every_moment(const Run& run, bool starts_anew, const Held* own, Visit visit) const;
    void note_moved();
    [[nodiscard]] bool leaves_as_much(std::uint32_t resource) const {
        const Leaves its = leaves_[resource];
        return its != Leaves::unknown ? its == Leaves::as_much : find_what_is_left(resource);
    }
    bool find_what_is_left(std::uint32_t resource) const;
    [[nodiscard]] bool is_steady(TenantId x, std::uint32_t resource) const {
        return !is_moved_[resource][x.value] && leaves_as_much(resource);
    }
    [[nodiscard]] bool is_steady_in_all(TenantId x, const ShapeKinds& kinds) const;
    [[nodiscard]] std::uint64_t sum_of(const std::vector<std::uint64_t>& changes,
                                       const ShapeKinds& kinds) const {
        return kinds.counts_only != ShapeKinds::no_resource ? 1 + changes[kinds.counts_only]
                                                            : sum_of_all(changes, kinds);
    }
    [[nodiscard]] std::uint64_t sum_of_all(const std::vector<std::uint64_t>& changes,
                                           const ShapeKinds& kinds) const;
    void count_change(TenantId x, const tenancy::Charges& charges, bool shares, bool gain);
    void count_in_all(bool gain);
    void count_change_of_all();
    void forget_what_is_left(const tenancy::Charges& charges) {
        if (!lends()) return;
        for (const tenancy::Allowance& each : charges)
            leaves_[each.resource] = Leaves::unknown;
    }
    [[nodiscard]] std::string name_of(TenantId x) const;
    [[nodiscard]] std::string amount_in_words(std::uint32_t resource, tenancy::Amount amount) const;

    bool any_ = false;
    tenancy::Rights rights_;
    tenancy::QuotaTree tree_;
    tenancy::FairShare fair_;
    std::vector<LoanTerm> terms_;  // by loan; none is over
    // What starts has to do without loans that are called back, until their deadlines.
    std::optional<tenancy::QuotaTree> without_recalled_;
    struct Later {
        Time from;
        tenancy::QuotaTree tree;
        // The same quotas, and all that those hold now whom loans concern: what others own is the
        // same at any time.
        tenancy::QuotaTree with_all;
    };
    std::vector<Later> later_;                  // by time
    std::vector<std::vector<TenantId>> moved_;  // by resource: tenants that loans concern ...
    std::vector<std::vector<bool>> is_moved_;   // ... by resource and tenant ...
    std::vector<bool> is_concerned_;            // ... by tenant, in any resource ...
    std::vector<std::vector<TenantId>> moved_houses_;  // ... and those of them below the root
    enum class Leaves : std::uint8_t { unknown, as_much, less };
    mutable std::vector<Leaves> leaves_;         // by resource: see leaves_as_much()
    std::vector<std::vector<PoolId>> pools_of_;  // by resource
    std::uint64_t version_ = 1;
    std::vector<std::uint64_t> versions_;  // by resource
    std::vector<std::uint64_t> gains_;     // likewise
    std::vector<std::uint32_t> house_of_;  // by tenant: the tenant below the root that it is in
    std::vector<std::uint64_t> moves_;     // by house
};

}  // namespace weir::sched
