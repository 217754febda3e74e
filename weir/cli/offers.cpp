#include "weir/cli/offers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "weir/base/schema.hpp"
#include "weir/base/text_file.hpp"
#include "weir/base/text_table.hpp"
#include "weir/catalog/vendor.hpp"
#include "weir/cli/offers_train.hpp"
#include "weir/cli/print.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/job_file.hpp"
#include "weir/job/sbatch.hpp"
#include "weir/match/match.hpp"
#include "weir/sched/engine.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<job::JobSpec> read_job(const std::string& path) {
    WEIR_TRY(const std::string text, read_text_file(path, yaml::job_limits.bytes_max));
    const std::string source = path == "-" ? "standard input" : path;
    WEIR_TRY(job::ParsedJob parsed,
             job::looks_like_script(text) ? job::read_sbatch_text(text, source)
                                          : job::read_job_text(text, source));
    // Where it would be submitted from.
    WEIR_CHECK(job::read_train_config(parsed.spec, parsed.spec.workdir));
    return std::move(parsed.spec);
}

// What nobody will live to see is said no closer.
std::string time_text(double seconds) {
    constexpr double century_s = 100.0 * 365 * 86'400;
    if (seconds > century_s) return "over 100y";
    return format_duration(Duration{std::llround(seconds * 1000)});
}

// To the hundredth of the currency: nobody pays less.
std::string cost_text(Money cost) {
    const std::int64_t hundredths = (cost.micros + 5'000) / 10'000;
    return fmt::format("{}.{:02} {}",
                       format_count(static_cast<std::uint64_t>(hundredths / 100)),
                       hundredths % 100,
                       cost.currency.text());
}

std::vector<match::Reason> reasons_of(const match::PoolOffer& pool, const match::Kind& kind) {
    std::vector<match::Reason> all = kind.match.against;
    all.insert(all.end(), pool.against.begin(), pool.against.end());
    return all;
}

Json json_of(const match::PhaseOffer& phase) {
    Json json{{"name", phase.name},
              {"op", name_of(phase.op)},
              {"asked", name_of(phase.asked)},
              {"format", name_of(phase.format)},
              {"way", name_of(phase.way)},
              {"method", phase.method},
              {"grade", name_of(phase.grade)},
              {"basis", name_of(phase.basis)},
              {"evidence", is_evidence(phase.basis)},
              {"discount", catalog::discount_of(phase.basis)},
              {"rate", phase.rate},
              {"memory_factor", phase.memory_factor},
              {"memory_bound", phase.memory_bound}};
    json["bandwidth"] = phase.bandwidth > 0 ? Json(phase.bandwidth) : Json(nullptr);
    json["time_s"] = phase.timed ? Json(phase.seconds) : Json(nullptr);
    json["time_stated_s"] = phase.timed ? Json(phase.seconds_stated) : Json(nullptr);
    return json;
}

Json json_of(const match::Offers& offers, const fleet::Fleet& fleet, const job::JobSpec& spec) {
    Json list = Json::array();
    for (const match::PoolOffer& offer : offers.pools) {
        const fleet::Pool& pool = fleet.pool(offer.pool);
        const match::Kind& kind = offers.kinds[offer.kind];
        Json json{{"pool", pool.name},
                  {"site", pool.site},
                  {"chip", pool.chip},
                  {"known", kind.record != nullptr},
                  {"serves", offer.serves},
                  {"time_s", nullptr},
                  {"time_stated_s", nullptr},
                  {"over_limit", nullptr},
                  {"basis", nullptr},
                  {"evidence", nullptr},
                  {"how", nullptr},
                  {"cost", nullptr},
                  {"phases", Json::array()},
                  {"reasons", Json::array()}};
        if (const auto& chip = kind.match.offer; chip && offer.keeps) {
            if (chip->seconds) {
                json["time_s"] = *chip->seconds;
                json["time_stated_s"] = *chip->seconds_stated;
                json["over_limit"] = !over_limit(*chip->seconds, spec.limit).empty();
            }
            if (!chip->phases.empty()) {
                json["basis"] = name_of(chip->basis);
                json["evidence"] = is_evidence(chip->basis);
            }
            json["how"] = match::how(*chip);
            json["memory_factor"] = chip->memory_factor;
            json["score"] = offer.score;
            for (const match::PhaseOffer& phase : chip->phases)
                json["phases"].push_back(json_of(phase));
        }
        if (offer.cost) json["cost"] = format_money(*offer.cost);
        for (const match::Reason& reason : reasons_of(offer, kind)) {
            json["reasons"].push_back({{"why", match::name_of(reason.why)},
                                       {"phase", reason.phase},
                                       {"sentence", match::sentence_of(reason)}});
        }
        list.push_back(std::move(json));
    }
    return {{"job", spec.name},
            {"degraded", offers.degraded},
            {"not_honoured", spec.not_honoured},
            {"offers", std::move(list)}};
}

void print(const match::Offers& offers, const fleet::Fleet& fleet, const job::JobSpec& spec) {
    TextTable table({{"", true},
                     {"pool"},
                     {"chip"},
                     {"time", true},
                     {"cost", true},
                     {"how, or why not", false, true}});
    std::size_t rank = 0;
    bool timed = false;
    for (const match::PoolOffer& offer : offers.pools) {
        const fleet::Pool& pool = fleet.pool(offer.pool);
        const match::Kind& kind = offers.kinds[offer.kind];
        std::string time = "-";
        std::string what;
        if (offer.keeps && kind.match.offer->seconds) {
            time = founded(time_text(*kind.match.offer->seconds), kind.match.offer->basis);
            timed = true;
        }
        if (offer.serves) {
            what = match::how(*kind.match.offer);
            if (offers.degraded) what = "degraded: " + what;
            if (kind.match.offer->seconds)
                what += over_limit(*kind.match.offer->seconds, spec.limit);
        } else {
            for (const match::Reason& reason : reasons_of(offer, kind))
                what += (what.empty() ? "no: " : "; ") + match::sentence_of(reason);
        }
        table.row({offer.serves ? std::to_string(++rank) : "",
                   pool.name,
                   pool.chip.empty() ? "-" : pool.chip,
                   time,
                   offer.cost ? cost_text(*offer.cost) : "-",
                   what});
    }
    out(table.text(output_width()));
    if (timed) {
        note(
            "times count on 100 % of a rate that was measured, 90 % published, 75 % derived, 50 % "
            "of a vendor's peak, 30 % assumed; ~ is an estimate");
    }
    if (offers.degraded) {
        note(
            "no chip keeps the contract on precision; these are the nearest, as on_unsatisfied: "
            "degrade allows");
    }
}

void note_not_honoured(const job::JobSpec& spec) {
    if (spec.not_honoured.empty()) return;
    note(
        fmt::format("{}: checked but not honoured by this version, so a hub would refuse the job; "
                    "leave it out to run it without that promise",
                    fmt::join(spec.not_honoured, ", ")));
}

Result<bool> show_train_offers(const job::JobSpec& spec,
                               const fleet::Fleet& fleet,
                               const catalog::Catalog& catalog,
                               bool json) {
    job::JobSpec one = spec;
    one.gang.chips = 1;
    const match::Offers matched = match::offers_of(one, fleet, catalog);
    WEIR_TRY(const TrainOffers offers,
             train_offers_of(spec, matched, fleet, catalog, Time{Duration{now_ms()}}));
    for (const std::string& slip : slips_in(spec, fleet, catalog))
        note(slip);
    for (const std::string& sentence : offers.notes)
        note(sentence);
    note_not_honoured(spec);
    if (json) {
        out_json(train_offers_json(spec, offers));
    } else {
        out(train_offers_text(offers));
        note(
            "all of it is predicted: of ten such runs nine take a step between the two times; a "
            "hub takes the size with which the job ends first, by what is free when");
    }
    return spec.not_honoured.empty() && !offers.sizes.empty() &&
           offers.sizes.front().against.empty();
}

Result<bool> show_offers(const OffersOptions& options) {
    WEIR_TRY(const job::JobSpec spec, read_job(options.job));
    WEIR_TRY(const fleet::Fleet fleet, fleet::read_fleet(options.fleet));
    WEIR_TRY(const catalog::Catalog catalog, catalog::catalog_with(options.catalogs));
    if (spec.train) return show_train_offers(spec, fleet, catalog, options.json);
    match::Offers offers = match::offers_of(spec, fleet, catalog);
    rule_out_what_never_fits(spec, fleet, offers);
    for (const std::string& slip : slips_in(spec, fleet, catalog))
        note(slip);
    note_not_honoured(spec);
    if (options.json) {
        out_json(json_of(offers, fleet, spec).dump(2, ' ', false, Json::error_handler_t::replace));
    } else {
        print(offers, fleet, spec);
    }
    return spec.not_honoured.empty() && !offers.pools.empty() && offers.pools.front().serves;
}

}  // namespace

std::vector<std::string> slips_in(const job::JobSpec& spec,
                                  const fleet::Fleet& fleet,
                                  const catalog::Catalog& catalog) {
    std::vector<std::string_view> chips;
    std::vector<std::string_view> stacks;
    std::vector<std::string_view> sites;
    for (const fleet::Pool& pool : fleet.pools)
        chips.push_back(pool.chip);
    for (const catalog::Family& family : catalog::families())
        stacks.push_back(family.stack);
    for (const catalog::ChipRecord& chip : catalog.chips())
        stacks.insert(stacks.end(), chip.stacks.begin(), chip.stacks.end());
    for (const fleet::Site& site : fleet.sites)
        sites.push_back(site.name);

    std::vector<std::string> slips;
    const auto slip = [&slips](std::string_view key,
                               std::string_view who,
                               const std::string& name,
                               std::string_view meant) {
        slips.push_back(
            fmt::format("{}: the {} does not know \"{}\"{}",
                        key,
                        who,
                        name,
                        meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant)));
    };
    const auto look_for = [&slip](const std::vector<std::string>& names,
                                  const std::vector<std::string_view>& known,
                                  std::string_view key,
                                  std::string_view who) {
        for (const std::string& name : names) {
            if (std::find(known.begin(), known.end(), name) != known.end()) continue;
            slip(key, who, name, schema::nearest(name, known).value_or(""));
        }
    };
    for (const std::string& name : spec.chips_any_of) {
        // A chip that nobody has described may still be one of the fleet's.
        if (catalog.find(name) != nullptr) continue;
        if (std::find(chips.begin(), chips.end(), name) != chips.end()) continue;
        slip("chips.any_of", "catalogue", name, catalog.nearest(name));
    }
    look_for(spec.chips_stack, stacks, "chips.stack", "catalogue");
    look_for(spec.sites, sites, "sites", "fleet");
    return slips;
}

void rule_out_what_never_fits(const job::JobSpec& spec,
                              const fleet::Fleet& fleet,
                              match::Offers& offers) {
    const sched::Engine empty(fleet, sched::Policy::weir);
    const job::Gang& gang = spec.gang;
    std::vector<match::Reason> against(offers.pools.size());
    for (std::size_t i = 0; i < offers.pools.size(); ++i) {
        if (!offers.pools[i].serves) continue;
        fleet::Demand demand{.parts = {{.replicas = gang.replicas,
                                        .each = {.chips = gang.chips,
                                                 .chip_permille = gang.chip_permille,
                                                 .cpus_milli = gang.cpus_milli,
                                                 .memory = gang.memory}}},
                             .within = gang.within,
                             .pools = {}};
        for (const match::PoolOffer& other : offers.pools) {
            const bool same_site =
                fleet.pool(other.pool).site == fleet.pool(offers.pools[i].pool).site;
            if (other.serves && same_site) demand.pools.push_back(other.pool);
        }
        if (gang.within <= fleet::Level::pool) demand.pools = {offers.pools[i].pool};
        if (const auto fits = empty.can_ever_fit(demand); !fits) {
            against[i] = {.why = match::Why::never_fits, .other = fits.error().message};
        }
    }
    // Only now: all of them were asked beside each other.
    for (std::size_t i = 0; i < offers.pools.size(); ++i) {
        if (against[i].other.empty()) continue;
        offers.pools[i].serves = false;
        offers.pools[i].against.push_back(against[i]);
    }
    std::stable_partition(
        offers.pools.begin(), offers.pools.end(), [](const auto& offer) { return offer.serves; });
}

std::string over_limit(double seconds, std::optional<Duration> limit) {
    if (!limit || seconds * 1000 <= static_cast<double>(limit->count())) return "";
    return fmt::format("; its time limit of {} would end it before", format_duration(*limit));
}

std::string founded(std::string_view number, catalog::Basis basis) {
    std::string name(catalog::name_of(basis));
    if (basis == catalog::Basis::vendor_peak) name = "vendor's peak";
    return is_evidence(basis) ? fmt::format("{} {}", number, name)
                              : fmt::format("~{} ({})", number, name);
}

int offers(const OffersOptions& options) {
    const Result<bool> done = show_offers(options);
    if (!done) return report(done.error());
    return *done ? status_ok : status_failed;
}

}  // namespace weir::cli
