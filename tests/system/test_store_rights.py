"""Who may what in the store: clients with certificates, access lists, and defaults from the configuration."""

import subprocess

import doip
from base import Case
from daemon import SERVICE

GET_ACL = "20.DOIP/Op.GetAcl"
UPDATE_ACL = "20.DOIP/Op.UpdateAcl"
RULES = {"readers": ["public"], "writers": [],
         "types": [{"type": "Secret", "readers": [], "writers": []}, {"type": "Wiki", "writers": ["authenticated"]}]}


class Rights(Case):
    def setUp(self):
        made = self.make(("store",), start=False)
        self.who = {None: None}
        authority = made.path("ca.pem")
        with open(authority, "w") as ca:
            for name in ("alice", "bob", "root"):
                self.who[name] = self.certificate(made, name)
                with open(made.path(name + ".pem")) as file:
                    ca.write(file.read())
        self.configure(acl=RULES, administrators=["root"])
        made.change({"tls": {"client_ca": authority}})
        self.addCleanup(made.stop)
        made.start()

    def configure(self, **options):
        self.daemon.change({"handler": {"store": {"options": options}}})

    def certificate(self, made, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/UID=" + name, "-keyout", made.path(name + ".key"), "-out", made.path(name + ".pem")],
                       check=True, capture_output=True)
        return doip.context(cert=made.path(name + ".pem"), key=made.path(name + ".key"))

    def ask(self, name, operation, target, **more):
        return self.daemon.request(operation, target, tls=self.who[name], **more)

    def create(self, name, target, type="Document", **attributes):
        return self.ok(self.ask(name, doip.CREATE, SERVICE, input={"id": target, "type": type, "attributes": attributes})).output

    def test_lists(self):
        self.create("alice", "x/1", acl={"readers": ["bob"]})
        self.status(self.ask(None, doip.RETRIEVE, "x/1"), doip.UNAUTHENTICATED, "authentication is needed")
        self.ok(self.ask("bob", doip.RETRIEVE, "x/1"))
        self.status(self.ask("bob", doip.UPDATE, "x/1", input={"type": "T"}), doip.FORBIDDEN, "'bob' may not change")
        self.ok(self.ask("alice", doip.UPDATE, "x/1", input={"attributes": {"content": 1}}))
        self.assertEqual(self.ok(self.ask("bob", GET_ACL, "x/1")).output, {"readers": ["bob"], "writers": []})
        self.assertEqual(self.ok(self.ask("root", UPDATE_ACL, "x/1", input={"writers": ["bob"]})).output,
                         {"readers": ["public"], "writers": ["bob"]})
        self.ok(self.ask(None, doip.RETRIEVE, "x/1"))
        self.ok(self.ask("bob", doip.DELETE, "x/1"))

    def test_defaults_of_types(self):
        self.create("alice", "x/1", "Secret")
        self.create("alice", "x/2", "Wiki")
        self.create("alice", "x/3")
        self.status(self.ask("bob", doip.RETRIEVE, "x/1"), doip.FORBIDDEN)
        self.ok(self.ask("bob", doip.UPDATE, "x/2", input={"attributes": {"content": 1}}))
        self.status(self.ask("bob", doip.UPDATE, "x/3", input={"attributes": {"content": 1}}), doip.FORBIDDEN)
        found = self.ok(self.ask("bob", doip.SEARCH, SERVICE, attributes={"query": "", "type": "id"})).output
        self.assertEqual(found["results"], ["x/2", "x/3"])
        self.configure(acl={"types": []})
        self.daemon.reload()
        self.ok(self.ask("bob", doip.RETRIEVE, "x/1"))
        self.status(self.ask("bob", doip.UPDATE, "x/2", input={"attributes": {"content": 2}}), doip.FORBIDDEN)

    def test_operations_are_listed(self):
        self.create("alice", "x/1", "Secret")
        listed = self.ok(self.ask("alice", doip.LIST, "x/1")).output
        self.assertEqual(listed, [doip.LIST, doip.RETRIEVE, doip.UPDATE, doip.DELETE, GET_ACL, UPDATE_ACL])
        self.status(self.ask("bob", doip.LIST, "x/1"), doip.FORBIDDEN)
        self.status(self.ask(None, doip.LIST, "x/1"), doip.UNAUTHENTICATED)
        listed = self.ok(self.ask(None, doip.LIST, SERVICE)).output
        self.assertEqual(listed, [doip.HELLO, doip.LIST, doip.CREATE, doip.SEARCH])

    def test_the_effective_configuration(self):
        printed = self.daemon.run("-T").stdout
        self.assertIn('types = ( { type = "Secret"; readers = ( ); writers = ( ); }, ', printed)
        again = self.daemon.path("again.conf")
        self.daemon.write(printed, again)
        done = subprocess.run([self.daemon.command()[0], "-c", again, "-t"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)


class Mistakes(Case):
    def test_options(self):
        """A mistake inside is found when the store opens, and named with its place."""
        for options, words in (
                ({"acl": {"reader": []}}, ["doipd.conf:", "acl has 'reader'"]),
                ({"acl": {"types": [{"type": "T", "readers": "x"}]}}, ["doipd.conf:", "acl.types[0].readers is not a list"]),
                ({"administrators": ["public"]}, ["doipd.conf:", "administrators[0]"]),
                ({"acl": "x"}, ["doipd.conf:", "option `acl` of handler store must be a group or a list"]),
                ({"prefix": {"x": 1}}, ["doipd.conf:", "option `prefix` of handler store must be a string"])):
            with self.subTest(options):
                made = self.make(("store",), start=False)
                made.change({"handler": {"store": {"options": options}}})
                self.start_error(made, *words)
