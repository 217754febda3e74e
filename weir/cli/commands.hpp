// The commands: what each takes, and the function that does it.
//
// command_options.cpp says which option fills what; the function prints and returns the exit
// status. None of them parses an option.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::cli {

inline constexpr const char* version = "0.1.0";

struct Common {
    std::string hub;  // URL; "" = $WEIR_HUB or the default
    bool json = false;
};

struct UpOptions {
    Common common;
    std::string data = ".weir";
    std::string listen = "127.0.0.1:8421";
    std::string policy = "weir";
    std::vector<std::string> hosts;     // further names that it goes by
    std::string fleet;                  // path of a fleet file; "" = what discovery finds
    std::string tenants;                // path of a tenants file; "" = nobody is limited
    bool oversubscribe = false;         // the file may offer more than there is
    std::vector<std::string> catalogs;  // files that say more of chips
    std::string campaign;               // folder of job files; "" = none
    bool once = false;                  // end after the campaign
};
int up(const UpOptions& options);

struct SubmitOptions {
    Common common;
    std::vector<std::string> files;  // "-" = standard input
    std::vector<std::string> args;   // of #SBATCH scripts
    std::string key;
    std::string environment;  // all | basic | none | NAME,NAME; "" = by format
    bool wait = false;
};
int submit(const SubmitOptions& options);

struct RunOptions {
    Common common;
    std::vector<std::string> command;
    std::string name;
    std::string tenant;
    std::string priority;
    std::string cpus;
    std::string chips;
    std::string memory;
    std::string time;
    std::string within;
    std::string key;
    std::string environment = "all";
    std::uint32_t replicas = 0;  // 0 = not given
    std::vector<std::string> any_of;
    std::vector<std::string> after;
    bool detach = false;
};
int run(const RunOptions& options);

struct PsOptions {
    Common common;
    std::vector<std::string> states;
    std::string name;
    std::string tenant;
    std::string user;
    std::uint64_t limit = 0;
    bool all = false;
    bool watch = false;
    bool ids = false;
    bool members = false;  // each member of an array on a line of its own
};
int ps(const PsOptions& options);

struct ShowOptions {
    Common common;
    std::string job;
};
int show(const ShowOptions& options);
int explain(const ShowOptions& options);

struct LogsOptions {
    Common common;
    std::string job;
    std::int64_t rank = -1;     // -1 = every rank
    std::uint32_t attempt = 0;  // 0 = the last
    bool follow = false;
    bool only_stdout = false;
    bool only_stderr = false;
};
int logs(const LogsOptions& options);

struct JobsOptions {
    Common common;
    std::vector<std::string> jobs;
    std::string timeout;  // of wait
};
int cancel(const JobsOptions& options);
int wait(const JobsOptions& options);

struct ReserveOptions {
    Common common;
    std::string name;
    std::string pool;
    std::uint64_t nodes = 0;
    std::vector<std::string> node_names;
    std::string from;      // a time, or +2h; "" = now
    std::string duration;  // --for
    std::string tenant;
    bool maintenance = false;
    bool list = false;
    bool remove = false;
};
int reserve(const ReserveOptions& options);

struct NodesOptions {
    Common common;
    std::vector<std::string> nodes;
    std::string reason;  // of drain
};
int drain(const NodesOptions& options);
int restore(const NodesOptions& options);

struct PowerOptions {
    Common common;
    std::string domain;  // "" = all
    std::string watts;
    bool is_set = false;  // to these watts; else it is shown
};
int power(const PowerOptions& options);

int fleet(const Common& common);
int data(const Common& common);
int tenants(const Common& common);

struct LoanOptions {
    Common common;
    std::string action = "list";
    std::string name;
    std::string lender;
    std::string borrower;
    std::vector<std::string> chips;  // a100=4
    std::string starts;              // "" = now
    std::string ends;
    std::string notice = "0s";
    std::string price;
    std::string early_recall;
    std::string penalty;
    std::string by;  // lender | borrower: who breaks it
};
int loan(const LoanOptions& options);

struct StatementOptions {
    Common common;
    std::string tenant;
    std::string month;  // 2026-11; "" = this one
    std::string html;   // path of a page; "" = none, "-" = standard output
    bool csv = false;
};
int statement(const StatementOptions& options);

int doctor(const Common& common);

struct SchemaOptions {
    Common common;
    std::string language = "job";  // job | fleet | tenants | catalog | plan
    bool markdown = false;
};
int schema(const SchemaOptions& options);

struct SchemaCheckOptions {
    Common common;
    std::vector<std::string> files;
    std::string language;  // as SchemaOptions, or sbatch; "" = by what the file says
};
int schema_check(const SchemaCheckOptions& options);

struct ReplayOptions {
    Common common;
    std::string data = ".weir";
};
int replay(const ReplayOptions& options);

int version_command(const Common& common);

}  // namespace weir::cli
