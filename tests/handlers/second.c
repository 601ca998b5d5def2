/*
 * One of two like handlers, for tests of the chain: see chain.h.
 */
#define CHAIN_NAME "second"
#include "chain.h"
