/*
 * tree: a search tree that grows from random keys, is looked through and torn down. It imitates
 * symbol tables and parsed documents, and stresses many small live blocks of a few sizes, how near
 * to each other blocks made one after the other lie (searching follows pointers), and frees in an
 * order that has nothing to do with that of the making. It does not show balancing, nor a
 * heap that lives on: between two trees it is empty. Source: the binary trees of the Computer
 * Language Benchmarks Game, after Ellis, Kovac and Boehm's GCBench; with random keys here.
 */
#include "workloads/worker.h"

struct node {
    struct node *child[2];
    uint64_t key;
    uint64_t size; /* requested bytes: the node and its text */
};

enum { TEXT_MOST = 64 }; /* arbitrary: text of 0 to 63 bytes hangs on each node */

/* Where the key is, or where it would have to go. */
static struct node **tree_find(struct node **at, uint64_t key)
{
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->child[key > (*at)->key];
    return at;
}

static void tree_add(struct worker *worker, struct node **root, uint64_t key)
{
    struct node **place = tree_find(root, key);
    if (*place != NULL)
        worker_fail("a key is in the tree before it was added");
    size_t size = sizeof(struct node) + prng_below(&worker->prng, TEXT_MOST);
    *place = worker_malloc_plain(worker, size);
    **place = (struct node){.key = key, .size = size};
}

/* Frees without recursion: the left child is turned up until there is none. */
static uint64_t tree_free(struct worker *worker, struct node *node)
{
    uint64_t freed = 0;
    while (node != NULL) {
        struct node *left = node->child[0];
        if (left != NULL) {
            node->child[0] = left->child[1];
            left->child[1] = node;
            node = left;
        } else {
            struct node *right = node->child[1];
            worker_free_plain(worker, node, node->size);
            freed++;
            node = right;
        }
    }
    return freed;
}

static void tree_run(struct worker *worker)
{
    uint64_t nodes = worker->options->size;
    while (worker_is_due(worker)) {
        struct prng keys = worker->prng;
        struct node *root = NULL;
        for (uint64_t i = 0; i < nodes; i++)
            tree_add(worker, &root, prng_next(&worker->prng));
        if ((*tree_find(&root, prng_next(&keys)))->key != root->key)
            worker_fail("the first key is not at the root");
        if (tree_free(worker, root) != nodes)
            worker_fail("the tree has not as many nodes as were added");
    }
}

const struct workload workload_tree = {
    .name = "tree",
    .summary = "a search tree that grows from random keys and is torn down",
    .size_is = "nodes",
    .size = 50000,
    .ops = 1000000,
    .threads = 1,
    .size_least = 1,
    .run = tree_run,
};
