#include "weir/audit/quota_books.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::audit {
namespace {

using Units = QuotaBooks::Units;

Units above_zero(Units units) {
    return std::max<Units>(0, units);
}

// Resources are counted in thousandths or in MFLOP/s; for people three digits are enough.
std::string text_of_units(Units units) {
    const bool below = units < 0;
    const std::string digits = text_of(static_cast<Amount>(below ? -units : units) / 1000);
    const auto rest = static_cast<int>((below ? -units : units) % 1000);
    return fmt::format(
        "{}{}{}", below ? "-" : "", digits, rest == 0 ? "" : fmt::format(".{:03}", rest));
}

}  // namespace

QuotaBooks::QuotaBooks(const Header& header)
    : resources_(header.resources), measures_(header.measures) {
    houses_.push_back({.path = "", .of = std::vector<Cell>(resources_.size())});
    for (const Organisation& its : header.organisations) {
        House house{.path = its.path, .of = std::vector<Cell>(resources_.size())};
        for (std::size_t i = 1; i < houses_.size(); ++i) {
            const std::string& above = houses_[i].path;
            const bool begins = its.path.size() > above.size() &&
                                its.path.compare(0, above.size(), above) == 0 &&
                                its.path[above.size()] == '/';
            if (begins && above.size() >= houses_[house.parent].path.size()) house.parent = i;
        }
        for (const Allowance& each : its.quota)
            house.of[each.resource].quota = each.amount;
        for (const Allowance& each : its.lend)
            house.of[each.resource].lend = each.amount;
        for (const Allowance& each : its.borrow)
            house.of[each.resource].borrow = each.amount;
        houses_.push_back(std::move(house));
    }
    // The centre owns what no quota gives away.
    for (std::uint32_t r = 0; r < resources_.size(); ++r) {
        Units whole = 0;
        for (std::size_t i = 0; i < measures_.size(); ++i) {
            const fleet::Pool& pool = header.fleet.pools[i];
            for (const Allowance& each : measures_[i].per_chip)
                if (each.resource == r)
                    whole += Units{each.amount} * pool.nodes * pool.chips_per_node;
            for (const Allowance& each : measures_[i].per_cpu)
                if (each.resource == r)
                    whole += Units{each.amount} * pool.nodes * pool.cpus_milli / 1000;
        }
        for (const House& house : houses_)
            whole -= house.of[r].quota;
        houses_[0].of[r].quota = above_zero(whole);
    }
    work_out(houses_);
    unused_ = houses_;
}

void QuotaBooks::work_out(Houses& houses) {
    for (House& house : houses) {
        for (Cell& cell : house.of) {
            cell.subtree = cell.quota;
            cell.usage = cell.direct;
        }
    }
    for (std::size_t i = houses.size(); i-- > 0;) {
        for (std::size_t r = 0; r < houses[i].of.size(); ++r) {
            Cell& cell = houses[i].of[r];
            cell.local = i > 0 && cell.lend ? above_zero(cell.subtree - *cell.lend) : 0;
            if (i == 0) continue;
            Cell& above = houses[houses[i].parent].of[r];
            above.subtree += cell.subtree - cell.local;
            above.usage += above_zero(cell.usage - cell.local);
        }
    }
    for (std::size_t i = 0; i < houses.size(); ++i) {
        for (std::size_t r = 0; r < houses[i].of.size(); ++r) {
            Cell& cell = houses[i].of[r];
            if (i == 0) {
                cell.available = cell.subtree - cell.usage;
                continue;
            }
            Units p = houses[houses[i].parent].of[r].available;
            if (cell.borrow) {
                p = std::min(
                    p,
                    cell.subtree - cell.local - above_zero(cell.usage - cell.local) + *cell.borrow);
            }
            cell.available = above_zero(cell.local - cell.usage) + p;
        }
    }
}

const QuotaBooks::Houses& QuotaBooks::now() const {
    if (changed_) work_out(houses_);
    changed_ = false;
    return houses_;
}

std::optional<std::size_t> QuotaBooks::find(std::string_view path) const {
    for (std::size_t i = 0; i < houses_.size(); ++i)
        if (houses_[i].path == path) return i;
    return std::nullopt;
}

std::string QuotaBooks::name_of(std::size_t house) const {
    return house == 0 ? "the centre itself" : houses_[house].path;
}

std::optional<std::size_t> QuotaBooks::parent(std::size_t house) const {
    return house == 0 ? std::nullopt : std::optional(houses_[house].parent);
}

std::size_t QuotaBooks::depth(std::size_t house) const {
    std::size_t steps = 0;
    for (; house != 0; house = houses_[house].parent)
        ++steps;
    return steps;
}

std::size_t QuotaBooks::common(std::size_t a, std::size_t b) const {
    while (a != b) {
        std::size_t& deeper = depth(a) >= depth(b) ? a : b;
        deeper = houses_[deeper].parent;
    }
    return a;
}

QuotaBooks::Charges QuotaBooks::charges(std::uint64_t chips_milli,
                                        std::uint64_t cpus_milli,
                                        PoolId pool) const {
    Charges charges;
    if (pool.value >= measures_.size()) return charges;
    const auto add = [&](const Allowances& measure, std::uint64_t milli) {
        for (const Allowance& each : measure) {
            const Units units = (Units{each.amount} * milli + 999) / 1000;  // never too little
            if (units > 0) charges.push_back({each.resource, units});
        }
    };
    add(measures_[pool.value].per_chip, chips_milli);
    add(measures_[pool.value].per_cpu, cpus_milli);
    return charges;
}

void QuotaBooks::use(std::size_t house, const Charges& charges, bool taking) {
    for (const Charge& each : charges)
        houses_[house].of[each.resource].direct += taking ? each.units : -each.units;
    changed_ = changed_ || !charges.empty();
}

void QuotaBooks::lend(std::size_t lender,
                      std::size_t borrower,
                      const Allowances& amounts,
                      bool back) {
    for (Houses* const houses : {&houses_, &unused_}) {
        for (const Allowance& each : amounts) {
            const Units units = back ? -Units{each.amount} : Units{each.amount};
            (*houses)[lender].of[each.resource].quota -= units;
            (*houses)[borrower].of[each.resource].quota += units;
        }
        work_out(*houses);
    }
}

bool QuotaBooks::has_right(std::size_t house, const Charges& charges) const {
    return std::all_of(charges.begin(), charges.end(), [&](const Charge& each) {
        return each.units <= now()[house].of[each.resource].available ||
               owner(house, each).has_value();
    });
}

bool QuotaBooks::might_ever(std::size_t house, const Charges& charges) const {
    return std::all_of(charges.begin(), charges.end(), [&](const Charge& each) {
        return each.units <= unused_[house].of[each.resource].available;
    });
}

// What is left of what `top` has, for a house in it.
Units QuotaBooks::available_below(std::size_t house,
                                  std::uint32_t resource,
                                  std::size_t top) const {
    const Cell& cell = now()[house].of[resource];
    if (house == top) return cell.subtree - cell.usage;
    Units p = available_below(houses_[house].parent, resource, top);
    if (cell.borrow) {
        p = std::min(
            p, cell.subtree - cell.local - above_zero(cell.usage - cell.local) + *cell.borrow);
    }
    return above_zero(cell.local - cell.usage) + p;
}

std::optional<std::size_t> QuotaBooks::owner(std::size_t house, Charge charge) const {
    for (std::size_t top = house; top != 0; top = houses_[top].parent)
        if (charge.units <= available_below(house, charge.resource, top)) return top;
    return std::nullopt;
}

bool QuotaBooks::borrows_below(std::size_t house, std::uint32_t resource, std::size_t top) const {
    for (; house != top; house = houses_[house].parent) {
        const Cell& cell = now()[house].of[resource];
        if (cell.usage <= cell.subtree) return false;
    }
    return true;
}

std::optional<std::string> QuotaBooks::exceeded(std::size_t house, std::uint32_t resource) const {
    for (;; house = houses_[house].parent) {
        const Cell& cell = now()[house].of[resource];
        const Units more = house == 0 ? 0 : cell.borrow.value_or(cell.usage);
        if (cell.usage > cell.subtree + more) {
            return fmt::format("{} uses {} of its {} {} and may borrow {}",
                               name_of(house),
                               text_of_units(cell.usage),
                               text_of_units(cell.subtree),
                               resources_[resource],
                               text_of_units(more));
        }
        if (house == 0) return std::nullopt;
    }
}

std::string QuotaBooks::in_words(std::size_t house, std::uint32_t resource) const {
    const Cell& cell = now()[house].of[resource];
    return fmt::format("{} uses {} of its {} {} and may have {} more",
                       name_of(house),
                       text_of_units(cell.usage),
                       text_of_units(cell.subtree),
                       resources_[resource],
                       text_of_units(above_zero(cell.available)));
}

}  // namespace weir::audit
