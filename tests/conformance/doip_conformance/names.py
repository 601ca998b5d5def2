"""The identifiers of the protocol."""

HELLO = "0.DOIP/Op.Hello"
LIST = "0.DOIP/Op.ListOperations"
CREATE = "0.DOIP/Op.Create"
RETRIEVE = "0.DOIP/Op.Retrieve"
UPDATE = "0.DOIP/Op.Update"
DELETE = "0.DOIP/Op.Delete"
SEARCH = "0.DOIP/Op.Search"

OK = "0.DOIP/Status.001"
INVALID = "0.DOIP/Status.101"
UNAUTHENTICATED = "0.DOIP/Status.102"
FORBIDDEN = "0.DOIP/Status.103"
UNKNOWN = "0.DOIP/Status.104"
DUPLICATE = "0.DOIP/Status.105"
DECLINED = "0.DOIP/Status.200"
ERROR = "0.DOIP/Status.500"

STATUSES = (OK, INVALID, UNAUTHENTICATED, FORBIDDEN, UNKNOWN, DUPLICATE, DECLINED, ERROR)

# A service answers so when a client may not do something, or it does not offer it: no fault of its protocol.
REFUSALS = (UNAUTHENTICATED, FORBIDDEN, DECLINED)

INFO_TYPE = "0.TYPE/DOIPServiceInfo"
