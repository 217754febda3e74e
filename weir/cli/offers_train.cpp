#include "weir/cli/offers_train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/seconds.hpp"
#include "weir/base/text_file.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/base/yaml.hpp"
#include "weir/cli/print.hpp"
#include "weir/hub/accounts.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/training.hpp"
#include "weir/job/job_file.hpp"
#include "weir/sched/engine.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::ordered_json;

// To the hundredth of the currency.
std::string money_text(Money cost) {
    const std::int64_t hundredths = (cost.micros + 5'000) / 10'000;
    return fmt::format("{}.{:02} {}",
                       format_count(static_cast<std::uint64_t>(hundredths / 100)),
                       hundredths % 100,
                       cost.currency.text());
}

// Where its pools have other prices, the least.
std::string cost_of_size(const job::TrainSize& size, const fleet::Fleet& fleet) {
    std::optional<Money> least;
    for (const fleet::Pool& pool : fleet.pools) {
        if (std::find(size.pools.begin(), size.pools.end(), pool.name) == size.pools.end())
            continue;
        const auto site = std::find_if(fleet.sites.begin(),
                                       fleet.sites.end(),
                                       [&](const auto& each) { return each.name == pool.site; });
        if (site == fleet.sites.end()) continue;
        const auto price = site->price.find(pool.chip);
        if (price == site->price.end()) continue;
        const auto cost =
            cost_of(price->second, std::uint64_t{size.chips_in_all()} * 1000, size.takes);
        if (cost && (!least || cost->micros < least->micros)) least = cost;
    }
    return least ? money_text(*least) : "";
}

}  // namespace

Result<TrainOffers> train_offers_of(const job::JobSpec& spec,
                                    const match::Offers& matched,
                                    const fleet::Fleet& fleet,
                                    const catalog::Catalog& catalog,
                                    Time now) {
    TrainOffers offers;
    WEIR_TRY(plan::Sizes planned, plan::sizes_of(spec, fleet, matched.keeping(), catalog));
    offers.notes = std::move(planned.notes);
    // As a hub would answer whose fleet is empty and in which nobody owns anything.
    const sched::Engine empty(fleet, sched::Policy::weir);
    WEIR_CHECK(hub::currency_of({}, fleet));
    hub::Accounts accounts;
    accounts.set({}, fleet, empty.rights(), {}, now);
    for (job::TrainSize& size : planned.sizes) {
        TrainOffer offer{size, cost_of_size(size, fleet), ""};
        const sched::Size asked = hub::size_for_core(size, spec.gang, fleet::Demand{}, fleet);
        sched::Request request;
        request.demand = asked.demand;
        request.limit = asked.limit;
        request.expected = asked.takes;
        auto may = hub::may_run_in_size(request, spec.budget, empty, accounts, {}, now);
        if (may && spec.deadline) may = hub::check_deadline(*spec.deadline, request, empty, now);
        if (!may) offer.against = may.error().message;
        offers.sizes.push_back(std::move(offer));
    }
    std::stable_sort(offers.sizes.begin(), offers.sizes.end(), [](const auto& a, const auto& b) {
        return std::pair(!a.against.empty(), a.size.takes) <
               std::pair(!b.against.empty(), b.size.takes);
    });
    for (const match::PoolOffer& pool : matched.pools) {
        if (pool.keeps) continue;
        std::string why;
        for (const auto* reasons : {&matched.kinds[pool.kind].match.against, &pool.against}) {
            for (const match::Reason& reason : *reasons)
                why += (why.empty() ? "" : "; ") + match::sentence_of(reason);
        }
        offers.without.push_back(fleet.pool(pool.pool).name + ": " + why);
    }
    for (const plan::NoSize& none : planned.without)
        offers.without.push_back(fleet.pool(none.pool).name + ": " + none.why);
    return offers;
}

sim::SizesOf sizes_by_planner(std::string folder) {
    return [folder = std::move(folder)](
               const std::string& name,
               const fleet::Fleet& fleet) -> Result<std::vector<sched::Size>> {
        const std::filesystem::path path = std::filesystem::path(folder) / name;
        WEIR_TRY(const std::string text, read_text_file(path, yaml::job_limits.bytes_max));
        WEIR_TRY(job::ParsedJob parsed, job::read_job_text(text, path.string()));
        job::JobSpec& spec = parsed.spec;
        if (!spec.train) {
            return fail(Code::invalid, path.string() + ": says nothing of `train:`");
        }
        WEIR_CHECK(job::read_train_config(spec, path.parent_path()));
        job::JobSpec one = spec;
        one.gang.chips = 1;
        const catalog::Catalog& catalog = catalog::Catalog::built_in();
        const match::Offers matched = match::offers_of(one, fleet, catalog);
        const auto planned = hub::train_plan_of(spec, fleet, matched.keeping(), catalog);
        if (!planned) return fail(planned.error().at(path.string()));
        const sched::Engine empty(fleet, sched::Policy::weir);
        std::vector<sched::Size> sizes;
        Result<void> fits;
        for (const job::TrainSize& planned_size : planned->sizes) {
            sched::Size size = hub::size_for_core(planned_size, spec.gang, fleet::Demand{}, fleet);
            fits = empty.can_ever_fit(size.demand);
            if (fits) sizes.push_back(std::move(size));
        }
        if (sizes.empty()) return fail(fits.error().at(path.string()));
        return sizes;
    };
}

std::string train_offers_json(const job::JobSpec& spec, const TrainOffers& offers) {
    Json list = Json::array();
    for (const TrainOffer& offer : offers.sizes) {
        const job::TrainSize& size = offer.size;
        list.push_back({{"pools", size.pools},
                        {"chip", size.chip},
                        {"chips", size.chips_in_all()},
                        {"nodes", size.replicas},
                        {"serves", offer.against.empty()},
                        {"reason", offer.against.empty() ? Json(nullptr) : Json(offer.against)},
                        {"basis", "predicted"},
                        {"step_s", size.step_s},
                        {"step_low_s", size.step_low_s},
                        {"step_high_s", size.step_high_s},
                        {"mfu", size.mfu},
                        {"time_s", as_seconds(size.takes)},
                        {"limit_s", as_seconds(size.limit)},
                        {"cost", offer.cost.empty() ? Json(nullptr) : Json(offer.cost)},
                        {"plan", size.plan},
                        {"env", size.env}});
    }
    const Json json{{"job", spec.name}, {"sizes", std::move(list)}, {"without", offers.without}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string train_offers_text(const TrainOffers& offers) {
    TextTable table({{"chips", true},
                     {"pool"},
                     {"step", true},
                     {"90 % are"},
                     {"MFU", true},
                     {"to the goal", true},
                     {"limit", true},
                     {"cost", true},
                     {"plan, or why not", false, true}});
    for (const TrainOffer& offer : offers.sizes) {
        const job::TrainSize& size = offer.size;
        std::string pools;
        for (const std::string& pool : size.pools)
            pools += (pools.empty() ? "" : ", ") + pool;
        table.row(
            {std::to_string(size.chips_in_all()),
             pools,
             format_seconds(size.step_s),
             fmt::format(
                 "{} to {}", format_seconds(size.step_low_s), format_seconds(size.step_high_s)),
             fmt::format("{:.1f} %", size.mfu * 100),
             "~" + format_duration(size.takes),
             format_duration(size.limit),
             offer.cost.empty() ? "-" : offer.cost,
             offer.against.empty() ? size.plan : "no: " + offer.against});
    }
    std::string text = offers.sizes.empty() ? "" : table.text(output_width());
    for (const std::string& none : offers.without)
        text += "no: " + none + "\n";
    return text;
}

}  // namespace weir::cli
