#include "weir/hub/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "weir/base/log.hpp"
#include "weir/base/schema.hpp"
#include "weir/job/job.hpp"

namespace weir::hub {
namespace {

using tenancy::Amount;

tenancy::Organisations nobody() {
    return {.resources = {}, .tenants = {{}}};
}

bool has_amounts(const tenancy::OrganisationsFile& file) {
    return !file.budgets.empty() || !file.loans.empty() || !file.vouchers.empty();
}

// A voucher is known by who has it, for when and for what.
bool is_same(const tenancy::Voucher& a, const tenancy::Voucher& b) {
    return a.tenant == b.tenant && a.valid == b.valid && a.chips == b.chips;
}

std::uint64_t chips_of(const fleet::NodeRange& range, const fleet::Demand& demand) {
    const fleet::ReplicaDemand& each = demand.parts.at(range.part).each;
    return std::uint64_t{range.count} * range.replicas *
           (std::uint64_t{each.chips} * 1000 + each.chip_permille);
}

}  // namespace

Result<std::optional<Currency>> currency_of(const tenancy::OrganisationsFile& file,
                                            const fleet::Fleet& fleet) {
    std::optional<Currency> known;
    if (has_amounts(file)) known = file.currency;
    for (const fleet::Site& site : fleet.sites) {
        for (const auto& [chip, price] : site.price) {
            const Currency its = price.of_chip_hour.currency;
            if (known && *known != its) {
                return fail(Code::invalid,
                            fmt::format("the price of {} at {} is in {}, and other amounts are in "
                                        "{}: a hub has one currency",
                                        chip,
                                        site.name,
                                        its.text(),
                                        known->text()));
            }
            known = its;
        }
    }
    return known;
}

Accounts::Accounts() : ledger_(nobody()), by_path_{{"", tenancy::the_centre}} {}

// New organisations and vouchers come behind those that are known.
void Accounts::remember(const tenancy::OrganisationsFile& file, Time at) {
    tenancy::Organisations all = ledger_.organisations();
    const std::size_t known = all.tenants.size();
    in_ledger_.clear();
    for (const tenancy::Tenant& tenant : file.organisations.tenants) {
        const auto [its, is_new] = by_path_.try_emplace(
            tenant.path, TenantId{static_cast<std::uint32_t>(all.tenants.size())});
        if (is_new) {
            all.tenants.push_back(
                {.path = tenant.path, .parent = in_ledger_.at(tenant.parent.value)});
        }
        in_ledger_.push_back(its->second);
    }
    if (all.tenants.size() > known) {
        ledger_.extend(all);
    }
    budgets_ = file.budgets;
    for (tenancy::Budget& budget : budgets_)
        budget.tenant = in_ledger_.at(budget.tenant.value);

    std::vector<tenancy::Voucher> given = file.vouchers;
    for (tenancy::Voucher& voucher : given)
        voucher.tenant = in_ledger_.at(voucher.tenant.value);
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < said_.size(); ++i) {
        const auto same = std::find(given.begin(), given.end(), said_[i]);
        if (same != given.end()) {
            vouchers_[i] = said_[i];
            given.erase(same);
        } else {
            changed.push_back(i);
        }
    }
    for (const std::size_t i : changed) {
        const auto its = std::find_if(given.begin(), given.end(), [&](const auto& other) {
            return is_same(said_[i], other);
        });
        if (its != given.end()) {
            // It goes on with another amount or share, and what it paid stays paid.
            const tenancy::VoucherId id{static_cast<std::uint32_t>(i)};
            const auto changed_by = tenancy::reissue(ledger_, id, said_[i].amount, *its, at);
            if (!changed_by)
                log::error("a voucher cannot be changed: " + changed_by.error().message);
            said_[i] = vouchers_[i] = *its;
            given.erase(its);
        } else {
            // It was taken out of the file: it pays for nothing that begins later.
            vouchers_[i].valid.ends = std::min(vouchers_[i].valid.ends, at);
        }
    }
    for (const tenancy::Voucher& voucher : given) {
        const tenancy::VoucherId id{static_cast<std::uint32_t>(said_.size())};
        said_.push_back(voucher);
        vouchers_.push_back(voucher);
        const auto issued = tenancy::issue(ledger_, vouchers_, id);
        if (!issued) log::error("a voucher cannot be kept: " + issued.error().message);
    }
}

void Accounts::set(const tenancy::OrganisationsFile& file,
                   const fleet::Fleet& fleet,
                   const tenancy::Rights& rights,
                   const std::set<std::string>& domestic,
                   Time at) {
    std::vector<JobId> goes_on;
    for (const auto& [job, its] : running_)
        goes_on.push_back(job);
    for (const JobId job : goes_on)
        ended(job, at);
    accepted_.clear();
    committed_.clear();
    file_ = file;
    fleet_ = fleet;
    rights_ = rights;
    domestic_ = domestic;
    budgets_.clear();
    const auto currency = currency_of(file, fleet);
    if (currency && *currency) currency_ = **currency;
    if (!any()) return;
    remember(file, at);
    quotas_ = tenancy::QuotaTree(file_.organisations, rights_.capacity);

    loans_.clear();
    agreed_.clear();
    count_quotas();
}

// What every house owns, with all below it, as long as the loans in force last.
void Accounts::count_quotas() {
    const std::vector<tenancy::Tenant>& tenants = file_.organisations.tenants;
    const std::vector<Amount> nothing(file_.organisations.resources.size(), 0);
    runs_.assign(tenants.size(), nothing);
    owns_.assign(tenants.size(), nothing);
    for (std::size_t i = tenants.size(); i-- > 0;) {
        for (const tenancy::Allowance& quota : tenants[i].quota)
            owns_[i][quota.resource] += quota.amount;
        for (const LoanInForce& lent : loans_)
            if (lent.loan.contract.lender == TenantId{static_cast<std::uint32_t>(i)})
                owns_[i][lent.resource] -= lent.left;
        if (!tenants[i].parent.valid()) continue;
        for (std::size_t r = 0; r < nothing.size(); ++r)
            owns_[tenants[i].parent.value][r] += owns_[i][r];
    }
}

void Accounts::set_loans(const std::vector<KnownLoan>& loans, Time at) {
    if (!any()) return;
    std::map<JobId, Running> goes_on = running_;
    for (const auto& [job, its] : goes_on)
        ended(job, at);
    loans_.clear();
    agreed_.clear();
    for (const KnownLoan& known : loans) {
        loan_names_[known.loan.id] = known.terms.name;
        const auto span = tenancy::availability(known.loan);
        if (!span || span->ends <= at) continue;
        for (const tenancy::Allowance& lent : known.loan.contract.amounts)
            agreed_.push_back({known.loan.contract.borrower, lent.resource, lent.amount});
        if (!span->holds(at)) continue;
        for (const tenancy::Allowance& lent : known.loan.contract.amounts)
            loans_.push_back({known.loan, lent.resource, lent.amount, lent.amount});
    }
    count_quotas();
    for (const auto& [job, its] : goes_on)
        started(job, its.request, its.placement, its.attempt, at);
}

void Accounts::settle(const tenancy::Loan& loan, const tenancy::LoanChange& change) {
    if (change.debt == tenancy::LoanChange::Debt::none) return;
    tenancy::LoanChange owed = change;
    owed.payer = in_ledger_.at(change.payer.value);
    owed.payee = in_ledger_.at(change.payee.value);
    const auto settled = tenancy::settle(ledger_, loan, owed);
    if (!settled) log::error("a debt cannot be counted: " + settled.error().message);
}

std::uint64_t Accounts::take_loan(std::size_t position, std::uint64_t chips_milli, Running& its) {
    LoanInForce& from = loans_[position];
    const auto houses = houses_above(its.house);
    if (std::find(houses.begin(), houses.end(), from.loan.contract.borrower) == houses.end())
        return 0;
    for (const tenancy::Allowance& each : its.charges) {
        if (each.resource != from.resource || each.amount == 0) continue;
        // What one thousandth of a chip counts of it.
        const std::uint64_t all = its.request.demand.chips_milli();
        const long double one =
            static_cast<long double>(each.amount) / static_cast<long double>(all);
        const auto room = static_cast<std::uint64_t>(static_cast<long double>(from.left) / one);
        const std::uint64_t taken = std::min(chips_milli, room);
        const auto amount =
            std::min(from.left, static_cast<Amount>(static_cast<long double>(taken) * one + 0.5L));
        from.left -= amount;
        its.on_loans[position] += amount;
        return taken;
    }
    return 0;
}

bool Accounts::has_amounts() const {
    const auto is_priced = [](const tenancy::Usage& usage) {
        return usage.price.of_chip_hour.micros > 0;
    };
    return !ledger_.balances().empty() ||
           std::any_of(running_.begin(), running_.end(), [&is_priced](const auto& its) {
               const auto& usages = its.second.usages;
               return std::any_of(usages.begin(), usages.end(), is_priced);
           });
}

std::optional<Price> Accounts::price_of(PoolId pool) const {
    const fleet::Pool& its = fleet_.pool(pool);
    for (const fleet::Site& site : fleet_.sites) {
        if (site.name != its.site) continue;
        const auto known = site.price.find(its.chip);
        if (known != site.price.end()) return known->second;
    }
    return std::nullopt;
}

Result<Money> Accounts::cost_at_most(const sched::Request& request) const {
    Money most{0, currency_};
    // Of several sizes, the dearest.
    for (std::uint32_t size = 0; size < request.sizes.size(); ++size) {
        WEIR_TRY(const Money cost, cost_at_most(sched::settled(request, size)));
        most.micros = std::max(most.micros, cost.micros);
    }
    if (!request.sizes.empty()) return most;
    for (const PoolId pool : request.demand.pools) {
        if (!may_ever_have(request, pool)) continue;
        Price price = price_of(pool).value_or(Price{{0, currency_}});
        for (const LoanInForce* from : loans_for(request.tenant)) {
            const Price& its = from->loan.contract.price;
            if (its.of_chip_hour.micros > price.of_chip_hour.micros) price = its;
        }
        if (price.of_chip_hour.micros == 0) continue;
        const long double share = share_borrowed_at_most(request, pool);
        const auto chips_milli = static_cast<std::uint64_t>(
            std::ceil(share * static_cast<long double>(request.demand.chips_milli())));
        const auto cost = cost_of(price, chips_milli, request.limit);
        if (!cost) {
            return fail(Code::too_large,
                        fmt::format("with a time limit of {} the job may cost more than can be "
                                    "counted; give it a shorter one",
                                    format_duration(request.limit)));
        }
        most.micros = std::max(most.micros, cost->micros);
    }
    return most;
}

Result<void> Accounts::may_spend(TenantId house,
                                 Money cost,
                                 Time at,
                                 std::span<const tenancy::Commitment> more,
                                 std::optional<Money> budget_of_job) const {
    if (budget_of_job && budget_of_job->currency != cost.currency) {
        return fail(Code::invalid,
                    fmt::format("budget: {} is in {}, and this hub counts in {}",
                                format_money(*budget_of_job),
                                budget_of_job->currency.text(),
                                cost.currency.text()));
    }
    std::vector<tenancy::Commitment> commitments;
    for (const tenancy::Commitment& each : more)
        if (any()) commitments.push_back({in_ledger_.at(each.tenant.value), each.micros});
    for (const auto& [tenant, micros] : committed_)
        commitments.push_back({tenant, micros});
    const TenantId tenant = any() ? in_ledger_.at(house.value) : tenancy::the_centre;
    return tenancy::may_spend(ledger_, budgets_, commitments, tenant, at, cost, budget_of_job);
}

Result<void> Accounts::may_repeat(JobId job,
                                  const sched::Request& request,
                                  Time at,
                                  std::optional<Money> budget_of_job) const {
    WEIR_TRY(const Money cost, cost_at_most(request));
    if (cost.micros == 0) return {};
    const auto so_far = cost_so_far_.find(job);
    if (budget_of_job && so_far != cost_so_far_.end()) {
        const Money left{budget_of_job->micros - so_far->second, budget_of_job->currency};
        if (cost.micros > left.micros) {
            return fail(Code::denied,
                        fmt::format("another attempt may cost up to {}, and its attempts have "
                                    "cost {} of its own budget of {}",
                                    format_money(cost),
                                    format_money({so_far->second, currency_}),
                                    format_money(*budget_of_job)));
        }
    }
    // What was set aside for it is what it needs now.
    std::vector<tenancy::Commitment> back;
    if (const auto its = accepted_.find(job); its != accepted_.end())
        back.push_back({request.tenant, -its->second.micros});
    return may_spend(request.tenant, cost, at, back, budget_of_job);
}

void Accounts::accepted(JobId job, const sched::Request& request) {
    if (!any()) return;
    const auto cost = cost_at_most(request);
    if (!cost || cost->micros == 0) return;
    const TenantId tenant = in_ledger_.at(request.tenant.value);
    if (!accepted_.try_emplace(job, tenancy::Commitment{tenant, cost->micros}).second) return;
    committed_[tenant] += cost->micros;
}

void Accounts::over(JobId job) {
    cost_so_far_.erase(job);
    const auto its = accepted_.find(job);
    if (its == accepted_.end()) return;
    committed_[its->second.tenant] -= its->second.micros;
    accepted_.erase(its);
}

std::vector<TenantId> Accounts::houses_above(TenantId house) const {
    std::vector<TenantId> houses;
    for (; house != tenancy::the_centre; house = file_.organisations.tenant(house).parent)
        houses.push_back(house);
    return houses;
}

std::vector<const Accounts::LoanInForce*> Accounts::loans_for(TenantId tenant) const {
    std::vector<const LoanInForce*> found;
    if (loans_.empty()) return found;
    const auto houses = houses_above(tenant);
    for (const LoanInForce& each : loans_) {
        const TenantId borrower = each.loan.contract.borrower;
        if (std::find(houses.begin(), houses.end(), borrower) != houses.end())
            found.push_back(&each);
    }
    return found;
}

// By its rights now, and with whatever was agreed to be lent to it at some time.
bool Accounts::may_ever_have(const sched::Request& request, PoolId pool) const {
    if (!any() || request.tenant == tenancy::the_centre) return true;
    const tenancy::Charges charges = rights_.charges(request.demand, pool);
    const auto houses = houses_above(request.tenant);
    return std::all_of(charges.begin(), charges.end(), [&](const tenancy::Allowance& each) {
        Amount most = quotas_.potential(request.tenant, each.resource);
        for (const Agreed& its : agreed_)
            if (its.resource == each.resource &&
                std::find(houses.begin(), houses.end(), its.borrower) != houses.end())
                most += its.amount;
        return each.amount <= most;
    });
}

// No house borrows more than it may have beyond what it owns, and more than was lent to it,
// whatever else it runs.
long double Accounts::share_borrowed_at_most(const sched::Request& request, PoolId pool) const {
    if (!any() || request.tenant == tenancy::the_centre) return 1;
    const tenancy::Charges charges = rights_.charges(request.demand, pool);
    if (charges.empty()) return 1;
    long double share = 0;
    for (const tenancy::Allowance& each : charges) {
        Amount lent = 0;
        for (const LoanInForce* from : loans_for(request.tenant))
            if (from->resource == each.resource) lent += from->all;
        Amount beyond = each.amount;
        for (const TenantId house : houses_above(request.tenant)) {
            const Amount more =
                quotas_.potential(house, each.resource) - quotas_.subtree(house, each.resource);
            beyond = std::min(beyond, std::clamp<Amount>(more, 0, each.amount) + lent);
        }
        share = std::max(share,
                         static_cast<long double>(beyond) / static_cast<long double>(each.amount));
    }
    return share;
}

// Of chips that nobody's quota counts nobody owns any but the centre.
std::uint64_t Accounts::borrowed_of(std::uint64_t chips_milli, const Running& its) const {
    if (its.charges.empty()) return chips_milli;
    long double share = 0;
    for (const tenancy::Allowance& each : its.charges) {
        Amount beyond = each.amount;
        for (const TenantId house : houses_above(its.house)) {
            const Amount room =
                owns_[house.value][each.resource] - runs_[house.value][each.resource];
            beyond = std::min(beyond, each.amount - std::clamp<Amount>(room, 0, each.amount));
        }
        share = std::max(share,
                         static_cast<long double>(beyond) / static_cast<long double>(each.amount));
    }
    return static_cast<std::uint64_t>(share * static_cast<long double>(chips_milli) + 0.5L);
}

void Accounts::started(JobId job,
                       const sched::Request& request,
                       const fleet::Placement& placement,
                       std::uint32_t attempt,
                       Time at) {
    if (placement.ranges.empty()) return;
    Running its{.house = request.tenant,
                .is_guest = !any() || request.tenant == tenancy::the_centre,
                .charges = {},
                .usages = {},
                .on_loans = {},
                .request = request,
                .placement = placement,
                .attempt = attempt};
    if (its.is_guest) {
        its.house = tenancy::the_centre;
    } else {
        its.charges = rights_.charges(request.demand, placement.ranges.front().pool);
    }
    struct Chips {
        std::uint64_t milli = 0;
        Price price;
    };
    std::map<std::string, Chips> chips;
    for (const fleet::NodeRange& range : placement.ranges) {
        const std::uint64_t milli = chips_of(range, request.demand);
        if (milli == 0) continue;
        Chips& kind = chips[fleet_.pool(range.pool).chip];
        kind.milli += milli;
        // At two sites for two prices: nobody pays less than the dearer one.
        const Price price = price_of(range.pool).value_or(Price{{0, currency_}});
        if (price.of_chip_hour.micros >= kind.price.of_chip_hour.micros) kind.price = price;
    }
    for (const auto& [chip, kind] : chips) {
        std::uint64_t borrowed = borrowed_of(kind.milli, its);
        const auto add = [&, &name = chip](
                             tenancy::Source source, std::uint64_t milli, Price price) {
            if (milli == 0) return;
            its.usages.push_back(
                {.job = job,
                 .attempt = attempt,
                 .tenant = its.is_guest ? tenancy::the_centre : in_ledger_.at(request.tenant.value),
                 .job_class = std::string(job::name_of(request.priority)),
                 .chip = name,
                 .is_domestic = domestic_.contains(name),
                 .chips_milli = milli,
                 .span = {at, at},
                 .source = source,
                 .loan = {},
                 .payee = tenancy::the_centre,
                 .price = price});
        };
        add(tenancy::Source::own, kind.milli - borrowed, Price{{0, currency_}});
        for (std::size_t i = 0; i < loans_.size() && borrowed > 0; ++i) {
            const std::uint64_t lent = take_loan(i, borrowed, its);
            if (lent == 0) continue;
            add(tenancy::Source::loan, lent, kind.price);
            tenancy::Usage& usage = its.usages.back();
            usage = tenancy::on_loan(usage, loans_[i].loan);
            usage.payee = in_ledger_.at(loans_[i].loan.contract.lender.value);
            borrowed -= lent;
        }
        add(tenancy::Source::borrowed, borrowed, kind.price);
    }
    for (const TenantId house : houses_above(its.house))
        for (const tenancy::Allowance& each : its.charges)
            runs_[house.value][each.resource] += each.amount;
    running_[job] = std::move(its);
}

void Accounts::ended(JobId job, Time at) {
    const auto found = running_.find(job);
    if (found == running_.end()) return;
    Running& its = found->second;
    for (const TenantId house : houses_above(its.house))
        for (const tenancy::Allowance& each : its.charges)
            runs_[house.value][each.resource] -= each.amount;
    for (const auto& [position, amount] : its.on_loans)
        loans_.at(position).left += amount;
    for (tenancy::Usage& usage : its.usages) {
        usage.span.ends = at;
        if (usage.span.begins >= at) continue;
        if (const auto cost = cost_of(usage.price, usage.chips_milli, at - usage.span.begins)) {
            std::int64_t& sum = cost_so_far_[job];
            if (__builtin_add_overflow(sum, cost->micros, &sum))
                sum = std::numeric_limits<std::int64_t>::max();
        }
        if (its.is_guest) continue;
        const auto charged = tenancy::charge(ledger_, vouchers_, usage);
        // What cannot be counted must not end the hub; it is owed all the same.
        if (!charged) log::error(charged.error().message);
    }
    running_.erase(found);
    // Reports that are repeated come soon: of the month before, everything is kept yet.
    const Time month = tenancy::period_around(tenancy::Period::month, at).begins;
    ledger_.close(tenancy::period_around(tenancy::Period::month, month - Duration{1}).begins);
}

Result<tenancy::Statement> Accounts::statement(const std::string& path, Time at) const {
    const auto known = by_path_.find(path);
    if (known != by_path_.end())
        return tenancy::statement_of(ledger_, known->second, at, currency_, loan_names_);
    std::vector<std::string_view> paths;
    for (const auto& [each, id] : by_path_)
        if (!each.empty()) paths.push_back(each);
    if (paths.empty()) {
        return fail(Code::not_found,
                    "there are no organisations here; `weir up --tenants FILE` says who there is");
    }
    const auto near = schema::nearest(path, paths);
    return fail(
        Code::not_found,
        fmt::format("there is no organisation \"{}\"{}; `weir tenants` shows those there are",
                    path,
                    near ? fmt::format("; did you mean {}?", *near) : ""));
}

}  // namespace weir::hub
