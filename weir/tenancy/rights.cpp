#include "weir/tenancy/rights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/schema.hpp"
#include "weir/base/units.hpp"
#include "weir/tenancy/amount.hpp"

namespace weir::tenancy {
namespace {

constexpr double flops_per_unit = 1e6;
constexpr std::size_t compared_max = 200;  // organisations; among more, notes would fill pages

// "whole / 1000" without the zeros at the end.
std::string thousandths(Amount amount) {
    const std::string sign = amount < 0 ? "-" : "";
    const auto size = static_cast<std::uint64_t>(std::abs(amount));
    std::string text = sign + format_count(size / 1000);
    if (size % 1000 == 0) return text;
    text += fmt::format(".{:03}", size % 1000);
    while (text.back() == '0')
        text.pop_back();
    return text;
}

// Whether this organisation, or one that it is part of, owns anything of it; with all below.
bool owns_of(const Organisations& all, TenantId whose, std::uint32_t resource) {
    const auto is_part = [&all](TenantId x, TenantId whole) {
        while (x.valid() && x != whole)
            x = all.tenant(x).parent;
        return x.valid();
    };
    for (; whose.valid() && all.tenant(whose).parent.valid(); whose = all.tenant(whose).parent) {
        for (std::uint32_t i = 0; i < all.tenants.size(); ++i) {
            const auto& quota = all.tenants[i].quota;
            const bool has = std::any_of(quota.begin(), quota.end(), [&](const Allowance& each) {
                return each.resource == resource && each.amount > 0;
            });
            if (has && is_part(TenantId{i}, whose)) return true;
        }
    }
    return false;
}

// Own is only what is within every quota that counts it: who owns a capability owns nothing of
// chips that others count one by one.
void note_counted_twice(Rights& rights) {
    const Organisations& all = rights.organisations;
    if (all.tenants.size() > compared_max) return;
    for (std::uint32_t r = 0; r < all.resources.size(); ++r) {
        if (all.resources[r].kind != Resource::Kind::capability) continue;
        for (std::uint32_t c = 0; c < all.resources.size(); ++c) {
            const auto counts = [](const Charges& charges, std::uint32_t resource) {
                return std::any_of(charges.begin(), charges.end(), [&](const Allowance& each) {
                    return each.resource == resource;
                });
            };
            const bool both =
                all.resources[c].kind == Resource::Kind::chips &&
                std::any_of(rights.measures.begin(),
                            rights.measures.end(),
                            [&](const Rights::PoolMeasure& pool) {
                                return counts(pool.per_chip, r) && counts(pool.per_chip, c);
                            });
            if (!both) continue;
            const Tenant* names_it = nullptr;
            for (const Tenant& tenant : all.tenants)
                if (names_it == nullptr &&
                    (counts(tenant.quota, c) || counts(tenant.lend, c) || counts(tenant.borrow, c)))
                    names_it = &tenant;
            for (std::uint32_t i = 1; i < all.tenants.size() && names_it != nullptr; ++i) {
                const Tenant& tenant = all.tenants[i];
                const bool has = std::any_of(
                    tenant.quota.begin(), tenant.quota.end(), [&](const Allowance& each) {
                        return each.resource == r && each.amount > 0;
                    });
                if (!has || owns_of(all, TenantId{i}, c)) continue;
                rights.notes.push_back(fmt::format(
                    "{} owns {} but none of {}, which the quotas or limits of {} count: what it "
                    "runs on {} counts as borrowed",
                    tenant.path,
                    all.resources[r].name,
                    all.resources[c].name,
                    names_it->path,
                    all.resources[c].name));
            }
        }
    }
}

}  // namespace

Charges Rights::charges(const fleet::Demand& demand, PoolId pool) const {
    const PoolMeasure& measure = measures[pool.value];
    const auto chips_milli = static_cast<Amount>(demand.chips_milli());
    const auto cpus_milli = static_cast<Amount>(demand.cpus_milli());
    Charges charges;
    const auto add = [&charges](const Charges& each, Amount milli) {
        for (const Allowance& one : each) {
            // Rounded up: many small gangs do not use more than they are charged.
            const __int128 whole = (static_cast<__int128>(one.amount) * milli + 999) / 1000;
            const auto amount = static_cast<Amount>(std::min<__int128>(whole, amount_total_max));
            if (amount > 0) charges.push_back({one.resource, amount});
        }
    };
    add(measure.per_chip, chips_milli);
    add(measure.per_cpu, cpus_milli);
    std::sort(charges.begin(), charges.end(), [](const Allowance& a, const Allowance& b) {
        return a.resource < b.resource;
    });
    return charges;
}

RateOf rates_in(const catalog::Catalog& catalog) {
    return [&catalog](std::string_view chip, std::string_view format) -> std::optional<double> {
        const catalog::ChipRecord* record = catalog.find(chip);
        const catalog::Rate* rate = record == nullptr ? nullptr : record->rate(format, "gemm");
        if (rate == nullptr) return std::nullopt;
        return rate->value;
    };
}

Rights rights_on(const fleet::Fleet& fleet, Organisations organisations, const RateOf& rate_of) {
    Rights rights{.organisations = std::move(organisations),
                  .measures = std::vector<Rights::PoolMeasure>(fleet.pools.size()),
                  .capacity = {},
                  .notes = {}};
    const std::vector<Resource>& resources = rights.organisations.resources;
    rights.capacity.resize(resources.size(), 0);
    for (std::uint32_t r = 0; r < resources.size(); ++r) {
        const Resource& resource = resources[r];
        std::vector<std::string> unknown;
        for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
            const fleet::Pool& pool = fleet.pools[i];
            Rights::PoolMeasure& measure = rights.measures[i];
            const Amount chips = Amount{pool.nodes} * pool.chips_per_node;
            if (resource.kind == Resource::Kind::cpus) {
                measure.per_cpu.push_back({r, 1000});
                rights.capacity[r] += Amount{pool.nodes} * pool.cpus_milli;
            } else if (chips == 0) {
                continue;
            } else if (resource.kind == Resource::Kind::chips) {
                if (pool.chip != resource.name) continue;
                measure.per_chip.push_back({r, 1000});
                rights.capacity[r] += chips * 1000;
            } else {
                const auto rate = rate_of ? rate_of(pool.chip, resource.name) : std::nullopt;
                if (!rate) {
                    if (std::find(unknown.begin(), unknown.end(), pool.chip) == unknown.end())
                        unknown.push_back(pool.chip);
                    continue;
                }
                const auto each = static_cast<Amount>(std::min(
                    std::round(*rate / flops_per_unit), static_cast<double>(amount_total_max)));
                if (each == 0) continue;
                measure.per_chip.push_back({r, each});
                const __int128 all = static_cast<__int128>(chips) * each + rights.capacity[r];
                rights.capacity[r] = static_cast<Amount>(std::min<__int128>(all, amount_total_max));
            }
        }
        for (const std::string& chip : unknown)
            rights.notes.push_back(fmt::format(
                "how fast {} is in {} is not known: it counts as nothing in quotas of {}",
                chip,
                resource.name,
                resource.name));
        if (rights.capacity[r] == 0) {
            std::vector<std::string_view> chips;
            for (const fleet::Pool& pool : fleet.pools)
                chips.push_back(pool.chip);
            const auto near = resource.kind == Resource::Kind::chips
                                  ? schema::nearest(resource.name, chips)
                                  : std::nullopt;
            rights.notes.push_back(
                fmt::format("quotas name {}, of which this fleet has none{}",
                            resource.kind == Resource::Kind::cpus ? "cpus" : resource.name,
                            near ? fmt::format("; did you mean {}?", *near) : ""));
        }
        Amount owned = 0;
        for (const Tenant& tenant : rights.organisations.tenants)
            for (const Allowance& quota : tenant.quota)
                if (quota.resource == r) owned += quota.amount;
        if (rights.capacity[r] > 0 && owned > rights.capacity[r])
            rights.notes.push_back(
                fmt::format("all quotas together are {}, and this fleet has {}: not everybody can "
                            "have what they own",
                            format_amount(resource, owned),
                            format_amount(resource, rights.capacity[r])));
    }
    note_counted_twice(rights);
    return rights;
}

std::string format_amount(const Resource& resource, Amount amount) {
    switch (resource.kind) {
        case Resource::Kind::chips:
            return thousandths(amount) + " " + resource.name;
        case Resource::Kind::cpus:
            return thousandths(amount) + (amount == 1000 ? " CPU" : " CPUs");
        case Resource::Kind::capability:
            break;
    }
    const bool integers = resource.name.substr(0, 3) == "int";
    return format_rate(static_cast<double>(amount) * flops_per_unit, integers ? "OP/s" : "FLOP/s") +
           " of " + resource.name;
}

}  // namespace weir::tenancy
