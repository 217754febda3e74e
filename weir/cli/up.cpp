// `weir up`: a hub in the foreground, from an empty folder to a served address.
//
// The order matters. What was asked for is checked while nothing has changed. Then the store, since
// its lock tells at once that another hub has the folder, and the address: opening the hub starts
// what waits, and a hub that nobody could reach must not. Then the machine is measured, the
// executor opened, the journal replayed, and only then is anybody who has connected answered.
// Going down is the same backwards: nobody new, answers that are owed, the hub. Running jobs have
// shepherds of their own and run on.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "weir/api/origin.hpp"
#include "weir/api/service.hpp"
#include "weir/base/log.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/cli/campaign.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/data_folder.hpp"
#include "weir/cli/follow.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/machine.hpp"
#include "weir/cli/print.hpp"
#include "weir/exec/local_executor.hpp"
#include "weir/exec/local_mover.hpp"
#include "weir/hub/hub.hpp"
#include "weir/store/sqlite_store.hpp"
#include "weir/tenancy/chip_names.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

// Ends that come while the hub is still being opened wait here until it can hear them.
class EndRelay {
public:
    void moved(const exec::MoveEnd& end) {
        const std::lock_guard lock(mutex_);
        if (hub_ != nullptr) {
            hub_->dataset_moved(end);
        } else {
            moves_waiting_.push_back(end);
        }
    }
    void ended(const exec::AttemptEnd& end) {
        const std::lock_guard lock(mutex_);
        if (hub_ != nullptr) {
            hub_->attempt_ended(end);
        } else {
            waiting_.push_back(end);
        }
    }

    void attach(hub::Hub* hub) {
        const std::lock_guard lock(mutex_);
        hub_ = hub;
        if (hub_ == nullptr) return;
        for (const exec::AttemptEnd& end : waiting_)
            hub_->attempt_ended(end);
        for (const exec::MoveEnd& end : moves_waiting_)
            hub_->dataset_moved(end);
        waiting_.clear();
        moves_waiting_.clear();
    }

private:
    std::mutex mutex_;
    hub::Hub* hub_ = nullptr;
    std::vector<exec::AttemptEnd> waiting_;
    std::vector<exec::MoveEnd> moves_waiting_;
};

// Every open attempt and connection is a descriptor; the soft limit of shells is far too low. Who
// has set more keeps it.
void raise_descriptor_limit() {
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, 65536);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

// All that lives while a hub serves, in the order in which it is made.
struct Hub {
    std::string data;
    std::string url;
    Machine machine;
    std::shared_ptr<catalog::Catalog> catalog;
    std::unique_ptr<store::SqliteStore> store;
    std::unique_ptr<api::HttpServer> server;  // until the service has it
    EndRelay ends;
    std::unique_ptr<exec::LocalExecutor> executor;
    std::shared_ptr<exec::LocalMover> mover;
    std::unique_ptr<hub::Hub> hub;
    std::unique_ptr<api::Service> service;

    ~Hub() { stop(); }

    void stop() {
        if (service) service->stop();
        ends.attach(nullptr);
        service.reset();
        hub.reset();
        mover.reset();
        executor.reset();
        server.reset();
        store.reset();
    }
};

// What only one hub can have: the folder and the address.
Result<void> claim(const UpOptions& options, Hub& all) {
    api::ServerOptions server;
    server.listen = options.listen;
    server.names = options.hosts;
    server.address_patience = seconds(2);
    WEIR_TRY(all.store, store::SqliteStore::open(all.data + "/weir.db"));
    WEIR_TRY(all.server, api::HttpServer::bind(std::move(server)));
    // Jobs are told where their hub is, so this is known before the hub is.
    all.url = all.server->url();
    return {};
}

Result<void> open_hub(sched::Policy policy, tenancy::OrganisationsFile tenants, Hub& all) {
    exec::LocalExecutor::Options how;
    how.data_dir = all.data;
    how.delegation = all.machine.delegation;
    WEIR_TRY(all.executor, exec::LocalExecutor::open(how, [&all](const exec::AttemptEnd& end) {
                 all.ends.ended(end);
             }));

    WEIR_TRY(all.mover,
             exec::LocalMover::open(all.machine.fleet, all.data, [&all](const exec::MoveEnd& end) {
                 all.ends.moved(end);
             }));

    hub::Options hub_options;
    hub_options.mover = all.mover;
    hub_options.data_dir = all.data;
    hub_options.policy = policy;
    hub_options.tenants = std::move(tenants);
    hub_options.url = all.url;
    if (auto measured = measured_record(all.machine)) {
        WEIR_CHECK(all.catalog->add({std::move(*measured)}, "probe.json"));
    }
    hub_options.catalog = all.catalog;
    WEIR_TRY(all.hub, hub::Hub::open(hub_options, all.machine.fleet, *all.store, *all.executor));
    all.ends.attach(all.hub.get());

    api::ServiceOptions service;
    service.facts.version = version;
    service.facts.data_dir = all.data;
    service.doctor = [&all] { return checks_of(all.machine, all.data); };
    service.rates = [&all](const fleet::Pool& pool) { return rates_of(all.machine, pool); };
    all.service = api::Service::start(*all.hub, service, std::move(all.server));
    return {};
}

// A fleet file may describe more than there is; who reads it is refused, and here is why.
void say_which_datasets_are_missing(const Hub& all) {
    std::size_t missing = 0;
    std::string first;
    for (const fleet::Site& site : all.machine.fleet.sites) {
        for (const auto& [dataset, size] : site.storage.datasets) {
            if (all.mover->has(dataset, site.name)) continue;
            if (missing++ == 0) first = all.mover->folder_of(site.name) + "/" + dataset;
        }
    }
    if (missing == 0) return;
    note(fmt::format(
        "{} of the fleet file {} not there (the first: {}); jobs that read {} are refused",
        format_count(missing, "dataset"),
        missing == 1 ? "is" : "are",
        first,
        missing == 1 ? "it" : "them"));
}

// What is in force, as everybody else sees it: after a restart with another fleet or policy that
// need not be what was asked for.
Result<void> welcome(HubLink& link, const Hub& all) {
    WEIR_TRY(const auto status, link.status());
    WEIR_TRY(const auto pools, link.fleet());
    out(fmt::format("{} serves {}\n\n  data    {}\n  log     {}/hub.log\n  policy  {}\n\n",
                    paint(fmt::format("weir {}", version), Tone::strong),
                    paint(all.url, Tone::good),
                    all.data,
                    all.data,
                    status.value.policy));
    TextTable table({{"site"},
                     {"pool", false, true},
                     {"chip"},
                     {"nodes", true},
                     {"chips", true},
                     {"cpus", true},
                     {"memory", true}});
    std::string rates;
    for (const PoolInfo& pool : pools.value) {
        table.row({pool.site,
                   pool.name,
                   pool.chip.empty() ? "-" : pool.chip,
                   std::to_string(pool.nodes),
                   number_cell(pool.chips_total),
                   number_cell(pool.cpus_total),
                   format_bytes({pool.memory_total_bytes})});
        std::string line;
        for (const RateInfo& rate : pool.rates) {
            line += fmt::format(
                "{}{} {}", line.empty() ? "" : ", ", rate.name, format_rate(rate.value, rate.unit));
        }
        if (!line.empty())
            rates += fmt::format("a {} of {}, measured: {}\n", pool.chip, pool.name, line);
    }
    out(table.text(output_width()) + rates);
    if (!status.value.pending_change.empty()) note(status.value.pending_change);
    return {};
}

// What goes on without the hub, said when it leaves.
void say_what_runs_on(HubLink& link, const std::string& data) {
    const auto status = link.status();
    if (!status) return;
    const std::uint64_t waiting = status->value.pending + status->value.held;
    if (status->value.running == 0 && waiting == 0) {
        note("the hub stops; no job runs or waits");
        return;
    }
    note(
        fmt::format("the hub stops; {} running {} on and {} waiting; `weir up --data {}` takes "
                    "them up again",
                    status->value.running,
                    status->value.running == 1 ? "job runs" : "jobs run",
                    waiting,
                    shell_quoted(data)));
}

}  // namespace

int up(const UpOptions& options) {
    if (options.once && options.campaign.empty()) {
        return report(
            {Code::invalid, "up: --once ends after a campaign; give one with --campaign DIR"});
    }
    const auto policy = sched::policy_from_text(options.policy);
    if (!policy) return report(policy.error().at("up: --policy"));
    if (!options.campaign.empty() && !fs::is_directory(options.campaign)) {
        return report(
            {Code::not_found,
             fmt::format("up: --campaign {}: there is no such folder", options.campaign)});
    }
    UpOptions asked = options;
    for (std::string& name : asked.hosts) {
        const auto known = api::host_name_of(name);
        if (!known) return report(known.error().at("up: --host"));
        name = *known;
    }
    const auto address = api::parse_listen_address(options.listen);
    if (!address) return report(address.error().at("up: --listen"));
    auto machine = look_at_machine(options.fleet, options.oversubscribe);
    if (!machine) return report(machine.error());
    auto catalog = catalog::catalog_with(options.catalogs);
    if (!catalog) return report(catalog.error().at("up: --catalog"));
    tenancy::ParsedOrganisations tenants;
    if (!options.tenants.empty()) {
        auto read = tenancy::read_organisations(options.tenants);
        if (!read) return report({Code::invalid, "up: --tenants: " + read.error().message});
        tenants = std::move(*read);
    }
    const auto data = made_data_folder(options.data, "--data");
    if (!data) return report(data.error());
    raise_descriptor_limit();
    count_interrupts();

    Hub all;
    all.data = *data;
    all.machine = std::move(*machine);
    all.catalog = std::make_shared<catalog::Catalog>(std::move(*catalog));
    log::open(all.data + "/hub.log", log::Level::info);
    const auto claimed = claim(asked, all);
    if (!claimed) return report(claimed.error());
    prepare_machine(all.machine, all.data, options.common.json);
    if (!tenants.file.organisations.empty()) {
        tenancy::name_chips_as(all.machine.fleet, *all.catalog, tenants.file);
        const std::vector<std::string> notes =
            tenancy::rights_on(
                all.machine.fleet, tenants.file.organisations, tenancy::rates_in(*all.catalog))
                .notes;
        tenants.notes.insert(tenants.notes.end(), notes.begin(), notes.end());
        for (std::string& slip :
             tenancy::slips_in_vouchers(all.machine.fleet, *all.catalog, tenants.file))
            tenants.notes.push_back(std::move(slip));
    }
    if (interrupts() > 0) return status_interrupted;
    const auto opened = open_hub(*policy, std::move(tenants.file), all);
    if (!opened) return report(opened.error());

    const std::string ready = json_object({{"url", all.url},
                                           {"pid", std::to_string(::getpid())},
                                           {"data_dir", all.data},
                                           {"version", version}});
    const std::string hub_file = all.data + "/hub.json";
    const auto written = write_whole(hub_file, ready + "\n");
    if (!written) return report(written.error());
    log::info(fmt::format("serving {} (pid {})", all.url, ::getpid()));
    for (const std::string& sentence : all.machine.notes)
        note(sentence);
    for (const std::string& sentence : tenants.notes)
        note(sentence);
    if (const std::string seen = seen_by_others(all.data); !seen.empty()) note(seen);
    say_which_datasets_are_missing(all);
    if (::geteuid() == 0) {
        note("jobs run as root, and whoever reaches " + all.url +
             " may submit them: there is no sign-in yet; on a machine with other users run the "
             "hub under an account of its own (docs/guides/service.md)");
    }
    HubLink link(all.url);
    if (options.common.json) {
        out_json(ready);
    } else if (const auto welcomed = welcome(link, all); !welcomed) {
        return report(welcomed.error());
    }

    int status = status_ok;
    bool serve = true;
    if (!options.campaign.empty()) {
        const auto end = run_campaign(link, options.campaign, options.common.json);
        if (!end) {
            status = report(end.error());
        } else if (*end != CampaignEnd::succeeded) {
            status = status_failed;
        }
        serve = !options.once;
        if (end && *end != CampaignEnd::interrupted && !options.common.json) {
            out(fmt::format("\n  web     {}\n  logs    weir logs JOB, or {}/runs\n  files   {}\n",
                            all.url,
                            all.data,
                            fs::absolute(options.campaign).lexically_normal().string()));
        }
    }
    if (serve && interrupts() == 0) {
        if (!options.common.json) {
            out("\nNext: weir submit JOB.yaml, weir ps, weir doctor. Ctrl-C stops the hub; running "
                "jobs go on.\n");
        }
        while (interrupts() == 0)
            nap(std::chrono::milliseconds(200));
        status = status_ok;
    }
    say_what_runs_on(link, options.data);
    log::info("stopping");
    all.stop();
    std::error_code ignored;
    fs::remove(hub_file, ignored);
    return status;
}

}  // namespace weir::cli
