/*
 * The command line of doipd: see commandline.h. Called by main() only.
 */
#include "commandline.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef DOIPD_CONFIG_FILE
#define DOIPD_CONFIG_FILE "/etc/doipd/doipd.conf"
#endif

#define EXIT_USAGE 2
#define HASH_PASSWORD 256
#define CHECK_CERTIFICATE 257

static const struct option long_options[] = {{"hash-password", no_argument, NULL, HASH_PASSWORD},
                                              {"check-certificate", no_argument, NULL, CHECK_CERTIFICATE},
                                              {0}};

void
commandline_usage(FILE *file)
{
    fputs("usage: doipd [-c FILE | -n] [-f] [-t] [-T] [-V] [-h] [-o KEY=VALUE]...\n"
          "  -c FILE       read this configuration (default: " DOIPD_CONFIG_FILE ")\n"
          "  -n            read none: defaults and -o only\n"
          "  -f            stay in the foreground, log to stderr\n"
          "  -t            check the configuration, load the handlers, and exit\n"
          "  -T            print the effective configuration, with where it came from, and exit\n"
          "  -o KEY=VALUE  override a key, as in -o workers.threads=8\n"
          "  --check-certificate\n"
          "                show the certificates, how long they are good for, and exit\n"
          "  --hash-password\n"
          "                read a password, print its hash for `users`, and exit\n"
          "  -V            print the version and exit\n"
          "  -h            print this and exit\n",
          file);
}

static int __attribute__((format(printf, 1, 2))) usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("doipd: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("; see doipd -h\n", stderr);
    return EXIT_USAGE;
}

static int
add_override(struct commandline *out, const char *argument)
{
    size_t count = 0;

    if (strchr(argument, '=') == NULL || argument[0] == '=')
        return usage_error("-o %s: must be KEY=VALUE, as in -o workers.threads=8", argument);
    while (out->overrides[count] != NULL)
        count++;
    out->overrides[count] = argument;
    return 0;
}

static int
take_option(struct commandline *out, int option, char **argv)
{
    switch (option) {
    case 'c':
        if (optarg[0] == '\0')
            return usage_error("-c needs the name of a file");
        if (out->file != NULL)
            return usage_error("-c is given twice");
        out->file = optarg;
        return 0;
    case 'n':
        out->none = true;
        return 0;
    case 'f':
        out->foreground = true;
        return 0;
    case 't':
        out->test = true;
        return 0;
    case 'T':
        out->print = true;
        return 0;
    case HASH_PASSWORD:
        out->hash_password = true;
        return 0;
    case CHECK_CERTIFICATE:
        out->check_certificate = true;
        return 0;
    case 'V':
        out->version = true;
        return 0;
    case 'h':
        out->help = true;
        return 0;
    case 'o':
        return add_override(out, optarg);
    case ':':
        return usage_error("-%c needs an argument", optopt);
    default:
        if (optopt == 0 || optopt >= HASH_PASSWORD)
            return usage_error("%s is no option", argv[optind - 1]);
        return usage_error("-%c is no option", optopt);
    }
}

/* What must hold between options. */
static int
check(struct commandline *out, int argc, char **argv)
{
    if (optind < argc)
        return usage_error("%s: doipd takes no such argument", argv[optind]);
    if (out->none && out->file != NULL)
        return usage_error("-c and -n exclude each other");
    if (!out->none && out->file == NULL)
        out->file = DOIPD_CONFIG_FILE;
    return 0;
}

int
commandline_parse(int argc, char **argv, struct commandline *out)
{
    int status = 0;
    int option;

    *out = (struct commandline){0};
    out->overrides = calloc((size_t)argc + 1, sizeof(*out->overrides));
    if (out->overrides == NULL) {
        fputs("doipd: can't start: out of memory\n", stderr);
        return 1;
    }
    optind = 0; /* glibc: from the start, also of another argv */
    opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "+:c:nftTVho:", long_options, NULL)) != -1)
        status = take_option(out, option, argv);
    return status != 0 ? status : check(out, argc, argv);
}

void
commandline_fini(struct commandline *commandline)
{
    free(commandline->overrides);
    *commandline = (struct commandline){0};
}
