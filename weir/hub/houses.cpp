#include "weir/hub/houses.hpp"

#include <fmt/format.h>

#include <string_view>

#include "weir/base/schema.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/tenancy/amount.hpp"
#include "weir/tenancy/house_use.hpp"

namespace weir::hub {
namespace {

// Among thousands of paths the nearest is no help, and takes long to find.
constexpr std::size_t compared_max = 1000;
constexpr std::size_t named_max = 20;

// "; did you mean bigco/search?", or nothing.
std::string nearest_of(const tenancy::Organisations& organisations, const std::string& tenant) {
    if (organisations.tenants.size() > compared_max) return "";
    std::vector<std::string_view> known;
    for (const tenancy::Tenant& each : organisations.tenants)
        if (!each.path.empty()) known.push_back(each.path);
    const auto near = schema::nearest(tenant, known);
    return near ? fmt::format("; did you mean {}?", *near) : "";
}

std::string names_of(const tenancy::Organisations& organisations) {
    std::string names;
    std::size_t count = 0;
    for (const tenancy::Tenant& each : organisations.tenants) {
        if (each.path.empty()) continue;
        if (++count <= named_max) names += (names.empty() ? "" : ", ") + each.path;
    }
    return count <= named_max ? names : fmt::format("{} and {} more", names, count - named_max);
}

}  // namespace

journal::Rates rates_for(const fleet::Fleet& fleet,
                         const tenancy::Organisations& organisations,
                         const tenancy::RateOf& rate_of) {
    journal::Rates rates;
    for (const tenancy::Resource& resource : organisations.resources) {
        if (resource.kind != tenancy::Resource::Kind::capability) continue;
        for (const fleet::Pool& pool : fleet.pools) {
            if (pool.chips_per_node == 0) continue;
            const auto rate = rate_of(pool.chip, resource.name);
            if (rate) rates[{pool.chip, resource.name}] = *rate;
        }
    }
    return rates;
}

journal::Domestic domestic_of(const fleet::Fleet& fleet,
                              const tenancy::Organisations& organisations,
                              const catalog::Catalog& catalog) {
    if (organisations.empty()) return {};
    return journal::domestic_in(fleet, catalog);
}

tenancy::Rights rights_from(const fleet::Fleet& fleet,
                            tenancy::Organisations organisations,
                            const journal::Rates& rates) {
    if (organisations.empty()) return {};
    return tenancy::rights_on(
        fleet,
        std::move(organisations),
        [&rates](std::string_view chip, std::string_view format) -> std::optional<double> {
            const auto known = rates.find({std::string(chip), std::string(format)});
            if (known == rates.end()) return std::nullopt;
            return known->second;
        });
}

Result<void> check_tenant(const std::string& tenant) {
    const auto bad = job::test_tenant(tenant);
    if (!bad) return {};
    return fail(Code::invalid, fmt::format("\"{}\" {}", tenant, *bad));
}

Result<TenantId> house_of(const tenancy::Organisations& organisations, const std::string& tenant) {
    if (organisations.empty()) return TenantId{0};
    WEIR_CHECK(check_tenant(tenant));
    const TenantId house = organisations.house_of(tenant);
    if (house.valid()) return house;
    return fail(Code::not_found,
                fmt::format("\"{}\" belongs to no organisation{}{}; there are: {}",
                            tenant,
                            tenant.find('/') == std::string::npos ? "" : ", nor does what is above",
                            nearest_of(organisations, tenant),
                            names_of(organisations)));
}

std::string house_name(const tenancy::Organisations& organisations, const std::string& tenant) {
    const TenantId house = organisations.house_of(tenant);
    return house.valid() ? organisations.tenant(house).path : "";
}

std::string slip_in(const tenancy::Organisations& organisations, const std::string& tenant) {
    const TenantId house = organisations.house_of(tenant);
    if (!house.valid() || organisations.tenant(house).path == tenant) return "";
    const std::string near = nearest_of(organisations, tenant);
    if (near.empty()) return "";
    return fmt::format("tenant: there is no organisation {}, so the job is one of {}{}",
                       tenant,
                       organisations.tenant(house).path,
                       near);
}

std::vector<TenantView> tenants_of(const Book& book) {
    if (!book.begun() || book.engine().rights().empty()) return {};
    const sched::Engine& engine = book.engine();
    const tenancy::Organisations& organisations = engine.rights().organisations;
    std::vector<TenantView> views;
    for (std::uint32_t i = 0; i < organisations.tenants.size(); ++i) {
        const tenancy::Tenant& tenant = organisations.tenants[i];
        TenantView& view = views.emplace_back();
        view.path = tenant.path;
        view.weight_milli = tenant.weight_milli;
        if (i == 0) continue;
        if (book.policy().fair == tenancy::FairRule::drf) {
            view.share = engine.fair_value(TenantId{i}) / 1e6;
        } else if (book.policy().fair == tenancy::FairRule::tree) {
            view.rank = engine.fair_value(TenantId{i}) + 1;
        }
    }
    for (std::uint32_t r = 0; r < organisations.resources.size(); ++r) {
        const std::vector<tenancy::HouseUse> uses = tenancy::uses_of(engine.quotas(), r);
        for (std::uint32_t i = 0; i < views.size(); ++i)
            views[i].resources.push_back({organisations.resources[r], uses[i]});
    }
    for (const KnownLoan& known : book.loans().at(book.now())) {
        const auto span = tenancy::availability(known.loan);
        if (!span || !span->holds(book.now())) continue;
        views[known.loan.contract.lender.value].loans_given.push_back(known.terms.name);
        views[known.loan.contract.borrower.value].loans_taken.push_back(known.terms.name);
    }
    for (const auto& [id, job] : book.jobs()) {
        for (TenantId house = job.family->request.tenant; house.valid();
             house = organisations.tenant(house).parent) {
            if (job.runs()) ++views[house.value].running;
            if (job.waits()) ++views[house.value].waiting;
        }
    }
    return views;
}

}  // namespace weir::hub
