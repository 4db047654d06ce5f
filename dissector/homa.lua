-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
--
-- Homa for Wireshark and tshark: packets as homa/protocol.md describes them.
--
-- Every packet is taken for itself first (the functions show_*), and what only a look at
-- other packets can tell comes behind it: which frame holds the request of a response and
-- the reverse, whether bytes were seen before, which GRANT allowed them, and the message
-- put together. That knowledge is collected when Wireshark reads the capture for the first
-- time (the functions learn_*), packet by packet in order; `frames` keeps what a frame
-- showed, so that it is displayed the same however often the frame is looked at.
--
-- IP protocol 146, and packets that travel as TCP (protocol 6 with both marks of Homa).
-- Runs with Lua 5.2 to 5.4, so there are no bit operators: ids are UInt64 objects.

local homa = Proto("homa", "Homa Transport Protocol")

local DATA, GRANT, RESEND, UNKNOWN, BUSY = 0x10, 0x11, 0x12, 0x13, 0x14
local CUTOFFS, FREEZE, NEED_ACK, ACK = 0x15, 0x16, 0x17, 0x18
local TYPES = {
	[DATA] = "DATA", [GRANT] = "GRANT", [RESEND] = "RESEND", [UNKNOWN] = "RPC_UNKNOWN",
	[BUSY] = "BUSY", [CUTOFFS] = "CUTOFFS", [FREEZE] = "FREEZE", [NEED_ACK] = "NEED_ACK",
	[ACK] = "ACK",
}
local LENGTHS = {
	[DATA] = 56, [GRANT] = 33, [RESEND] = 37, [UNKNOWN] = 28, [BUSY] = 28,
	[CUTOFFS] = 62, [FREEZE] = 28, [NEED_ACK] = 28, [ACK] = 80,
}
local COMMON_LENGTH, SEGMENT_HEADER = 28, 52
local DOFFS = {
	[0xe0] = "DATA", [0xd0] = "DATA in segments", [0x50] = "control",
}
local FLAGS, URGENT = 0x06, 0xb97d
local IN_SEQUENCE, ALL = 0xffffffff, 0xffffffff
local MAX_MESSAGE, MAX_LARGE = 1000000, 67108864
local HINT_LARGE = 0x02
local WINDOW_UNIT = 65536
local MAX_ACKS, ACK_LENGTH = 5, 10
local PROTO_TCP, PROTO_HOMA = 6, 146
local REASSEMBLED_MAX = 4000000		-- longer messages are not put together

-- Fields of packets, and generated ones.
local f = {
	sport = ProtoField.uint16("homa.sport", "Source port"),
	dport = ProtoField.uint16("homa.dport", "Destination port"),
	port = ProtoField.uint16("homa.port", "Source or destination port"),
	sequence = ProtoField.uint32("homa.sequence", "Sequence"),
	type = ProtoField.uint8("homa.type", "Type", base.HEX, TYPES),
	doff = ProtoField.uint8("homa.doff", "Header length as TCP states it", base.HEX, DOFFS),
	flags = ProtoField.uint8("homa.flags", "Flags", base.HEX),
	window = ProtoField.uint16("homa.window", "Window"),
	takes = ProtoField.uint32("homa.takes", "The sender's socket takes messages of up to"),
	checksum = ProtoField.uint16("homa.checksum", "Checksum", base.HEX),
	urgent = ProtoField.uint16("homa.urgent", "Urgent pointer", base.HEX),
	id = ProtoField.uint64("homa.id", "Id as the sender knows it", base.DEC_HEX),
	rpc = ProtoField.uint64("homa.rpc", "RPC (id as the client knows it)", base.DEC_HEX),
	from_client = ProtoField.bool("homa.from_client", "From the client"),
	encapsulated = ProtoField.bool("homa.encapsulated", "Travels as TCP, or in UDP"),
	priority = ProtoField.uint8("homa.priority", "Priority (of the IP header)"),

	message_length = ProtoField.uint32("homa.data.message_length", "Message length"),
	incoming = ProtoField.uint32("homa.data.incoming", "Comes without further grants, up to"),
	ack_id = ProtoField.uint64("homa.ack.id", "RPC that is acknowledged", base.DEC_HEX),
	ack_port = ProtoField.uint16("homa.ack.port", "Server's port of that RPC"),
	cutoff_version = ProtoField.uint16("homa.data.cutoff_version", "Version of the cutoffs used"),
	retransmit = ProtoField.uint8("homa.data.retransmit", "Sent again", base.DEC, { [0] = "no", [1] = "yes" }),
	incast = ProtoField.bool("homa.data.hints.incast", "Incast: want few unscheduled bytes", 8, nil, 0x01),
	large = ProtoField.bool("homa.data.hints.large", "Large: may be more than 1,000,000 bytes", 8, nil, HINT_LARGE),
	hints = ProtoField.uint8("homa.data.hints", "Hints", base.HEX),
	pad = ProtoField.bytes("homa.data.pad", "Padding"),
	offset = ProtoField.uint32("homa.data.offset", "Offset in the message"),
	start = ProtoField.uint32("homa.data.start", "First byte"),
	stop = ProtoField.uint32("homa.data.end", "End (first byte behind it)"),
	scheduled = ProtoField.bool("homa.data.scheduled", "Needs a grant"),
	payload = ProtoField.bytes("homa.data.payload", "Data"),
	segments = ProtoField.uint16("homa.data.segments", "Segments"),

	grant_offset = ProtoField.uint32("homa.grant.offset", "All bytes may be sent before"),
	grant_priority = ProtoField.uint8("homa.grant.priority", "Priority for them"),
	resend_offset = ProtoField.uint32("homa.resend.offset", "First byte wanted"),
	resend_length = ProtoField.uint32("homa.resend.length", "Bytes wanted"),
	resend_priority = ProtoField.uint8("homa.resend.priority", "Priority for them"),
	cutoff = ProtoField.uint32("homa.cutoffs.cutoff", "Messages up to"),
	version = ProtoField.uint16("homa.cutoffs.version", "Version of these cutoffs"),
	num_acks = ProtoField.uint16("homa.ack.count", "Valid records"),
	rest = ProtoField.bytes("homa.rest", "Bytes behind the header"),

	request_in = ProtoField.framenum("homa.request_in", "Request begins in frame", base.NONE, frametype.REQUEST),
	response_in = ProtoField.framenum("homa.response_in", "Response is complete in frame", base.NONE, frametype.RESPONSE),
	response_begin = ProtoField.framenum("homa.response_begin", "Response begins in frame", base.NONE, frametype.RESPONSE),
	acked_in = ProtoField.framenum("homa.acked_in", "Acknowledged in frame", base.NONE, frametype.ACK),
	acked_request = ProtoField.framenum("homa.ack.request_in", "Its request begins in frame", base.NONE, frametype.REQUEST),
	granted_in = ProtoField.framenum("homa.granted_in", "Granted in frame", base.NONE, frametype.ACK),
	same_in = ProtoField.framenum("homa.same_in", "These bytes were in frame", base.NONE, frametype.RETRANS_PREV),
	complete_in = ProtoField.framenum("homa.complete_in", "Message is complete in frame"),
	time = ProtoField.relative_time("homa.time", "From request to response"),
	message_time = ProtoField.relative_time("homa.message_time", "Since the message began"),
}
homa.fields = f

local malformed = expert.group.MALFORMED
local sequence = expert.group.SEQUENCE
local function wrong(name, text)
	return ProtoExpert.new("homa.wrong." .. name, text, malformed, expert.severity.ERROR)
end
local function note(name, text, group, severity)
	return ProtoExpert.new("homa." .. name, text, group, severity or expert.severity.NOTE)
end
local e = {
	short = wrong("short", "Header is not whole"),
	type = wrong("type", "Unknown packet type"),
	sport = wrong("sport", "Source port is 0"),
	length = wrong("length", "Message length is 0"),
	long = wrong("long", "Longer than 1,000,000 bytes without the bit for that, or than 64 MiB"),
	offset = wrong("offset", "Reaches beyond the end of the message"),
	empty = wrong("empty", "DATA without data"),
	resend = wrong("resend", "RESEND for no bytes"),
	role = wrong("role", "A packet of that type does not come from this side"),
	records = wrong("records", "More records than an ACK has"),
	ack_id = wrong("ack_id", "The id of a client is even"),
	checksum = wrong("checksum", "Checksum is wrong"),
	cut = note("cut", "The capture does not have the whole packet", expert.group.UNDECODED),
	marks = note("marks", "Without the marks of Homa", expert.group.PROTOCOL),
	rest = note("rest_seen", "Bytes behind a control header, which receivers ignore", expert.group.PROTOCOL),
	differs = note("differs", "Other packets of the message say another length", sequence, expert.severity.WARN),
	again = note("again", "Bytes that were sent before", sequence),
	resent = note("resend_asked", "Packets are missed", sequence),
	unknown = note("rpc_unknown", "The peer knows nothing of the RPC", sequence, expert.severity.WARN),
	freeze = note("freeze", "Asks the host to freeze its trace", expert.group.REQUEST_CODE, expert.severity.CHAT),
}
homa.experts = e

homa.prefs.reassemble = Pref.bool("Put messages together", true,
	"Show a message that came in several packets as a whole, in its last packet")
homa.prefs.tcp = Pref.bool("Look for Homa in TCP", true,
	"TCP packets with SYN and RST together and urgent pointer 0xb97d without URG are Homa's")
homa.prefs.udp = Pref.bool("Look for Homa in UDP", true,
	"UDP datagrams with TCP flags SYN and RST and urgent pointer 0xb97d where Homa has them are Homa's")
homa.prefs.checksum = Pref.bool("Verify checksums", false,
	"Hosts leave them to their devices, so a sender's own capture has wrong ones")

-- Applications register their dissectors here, for their server's port.
local ports = DissectorTable.new("homa.port", "Homa server port", ftypes.UINT16, base.DEC, homa)
local plain_data = Dissector.get("data")

local frame_time = Field.new("frame.time_epoch")
local ip_tos = Field.new("ip.dsfield")
local ipv6_tclass = Field.new("ipv6.tclass")
local ip_ends = { Field.new("ip.src"), Field.new("ip.dst") }
local ipv6_ends = { Field.new("ipv6.src"), Field.new("ipv6.dst") }

-- What has been learned: RPCs by ends, ports and id; by ends, server's port and id (as
-- acknowledgments name them); and by frame what was seen there.
local rpcs, by_ack, frames, segment_sizes
local in_tcp, in_udp = false, false	-- of the packet at hand

function homa.init()
	rpcs, by_ack, frames, segment_sizes = {}, {}, {}, {}
end

-- ------------------------------------------------------------------ one packet, its facts

-- The common header as a table, with the ends of the RPC.
local function common_of(tvb, pinfo)
	local id = tvb(20, 8):uint64()
	local from_client = tvb(27, 1):uint() % 2 == 0
	local h = {
		type = tvb(11, 1):uint(), id = id, from_client = from_client,
		rpc_id = from_client and id or id - UInt64(1),
		sport = tvb(0, 2):uint(), dport = tvb(2, 2):uint(),
	}
	local src, dst = tostring(pinfo.src), tostring(pinfo.dst)
	h.client = from_client and src or dst
	h.server = from_client and dst or src
	h.client_port = from_client and h.sport or h.dport
	h.server_port = from_client and h.dport or h.sport
	return h
end

local function rpc_key(h)
	return table.concat({ h.client, h.client_port, h.server, h.server_port,
			      tostring(h.rpc_id) }, " ")
end

local function ack_key(client, server, port, id)
	return table.concat({ client, server, port, tostring(id) }, " ")
end

-- Do segments of SIZE bytes (offset and data) fit all of the packet?
local function segments_fit(tvb, size, first)
	local at, offset = SEGMENT_HEADER, first
	while at + 4 < tvb:len() do
		if tvb(at, 4):uint() ~= offset then
			return false
		end
		at, offset = at + size, offset + size - 4
	end
	return at >= tvb:len()
end

-- Captures of a sender, or between virtual hosts, have packets that a device has not cut
-- yet. What it will cut is not on the wire, but the offset in each segment shows it.
local function segment_size(tvb, h)
	local all, first = tvb:len() - SEGMENT_HEADER, tvb(SEGMENT_HEADER, 4):uint()
	local ends = h.client .. h.server
	local known = segment_sizes[ends]
	if first == IN_SEQUENCE then
		return all
	end
	if known and known < all and segments_fit(tvb, known, first) then
		return known
	end
	for size = 5, all - 5 do
		if tvb(SEGMENT_HEADER + size, 4):uint() == first + size - 4 and
		   segments_fit(tvb, size, first) then
			segment_sizes[ends] = size
			return size
		end
	end
	return all
end

-- Pieces of a DATA packet: where in it, and where in the message.
local function pieces_of(tvb, h)
	local size = tvb:len() - SEGMENT_HEADER
	if tvb(12, 1):uint() == 0xd0 and size > 4 then
		size = segment_size(tvb, h)
	end
	local pieces, at = {}, SEGMENT_HEADER
	repeat
		local offset = tvb(at, 4):uint()
		local n = math.min(size, tvb:len() - at) - 4
		if offset == IN_SEQUENCE then
			offset = tvb(4, 4):uint()
		end
		pieces[#pieces + 1] = { at = at + 4, start = offset, stop = offset + n }
		at = at + n + 4
	until at + 4 >= tvb:len()
	return pieces
end

-- ------------------------------------------------------------- what other packets tell

local function learn_rpc(h)
	local key = rpc_key(h)
	local rpc = rpcs[key]
	if not rpc then
		rpc = { server_port = h.server_port }
		rpcs[key] = rpc
		by_ack[ack_key(h.client, h.server, h.server_port, h.rpc_id)] = rpc
	end
	return rpc
end

-- Take [start, stop) into the sorted list of ranges that have come.
-- Returns how many of its bytes are new.
local function add_range(ranges, start, stop)
	local new, kept = stop - start, {}
	for _, r in ipairs(ranges) do
		if r[1] <= stop and start <= r[2] then
			new = new - math.max(0, math.min(stop, r[2]) - math.max(start, r[1]))
			start, stop = math.min(start, r[1]), math.max(stop, r[2])
		else
			kept[#kept + 1] = r
		end
	end
	kept[#kept + 1] = { start, stop }
	table.sort(kept, function(a, b) return a[1] < b[1] end)
	for i = 1, math.max(#kept, #ranges) do
		ranges[i] = kept[i]
	end
	return new
end

local function first_frame_of(message, start)
	for _, part in ipairs(message.parts) do
		if part.start <= start and start < part.stop then
			return part.frame
		end
	end
end

local function grant_for(message, stop)
	for _, grant in ipairs(message.grants) do
		if grant.offset >= stop then
			return grant.frame
		end
	end
end

local function learn_piece(seen, message, piece, tvb, pinfo)
	if piece.stop > message.length or piece.stop <= piece.start then
		return
	end
	seen.same_in = seen.same_in or first_frame_of(message, piece.start)
	if add_range(message.ranges, piece.start, piece.stop) == 0 then
		return
	end
	seen.new = true
	local part = { start = piece.start, stop = piece.stop, frame = pinfo.number }
	if message.length <= REASSEMBLED_MAX then
		part.bytes = tvb(piece.at, piece.stop - piece.start):bytes()
	end
	table.insert(message.parts, part)
end

local function learn_data(seen, rpc, h, tvb, pinfo, pieces)
	local which = h.from_client and "request" or "response"
	local message = rpc[which]
	if not message then
		message = { length = tvb(28, 4):uint(), unscheduled = tvb(32, 4):uint(),
			    first = pinfo.number, began = frame_time().value, parts = {}, ranges = {},
			    grants = {} }
		rpc[which] = message
	end
	seen.message = message
	seen.differs = message.length ~= tvb(28, 4):uint()
	for _, piece in ipairs(pieces) do
		learn_piece(seen, message, piece, tvb, pinfo)
	end
	local r = message.ranges[1]
	if not message.complete and r and r[1] == 0 and r[2] == message.length then
		message.complete, message.done = pinfo.number, frame_time().value
		seen.completes = true
	end
	if not seen.new or tvb(48, 1):uint() == 1 then
		return
	end
	local stop = pieces[#pieces].stop
	seen.scheduled = stop > message.unscheduled
	seen.granted_in = seen.scheduled and grant_for(message, stop)
end

local function learn_ack(h, id, port, frame)
	local rpc = by_ack[ack_key(h.client, h.server, port, id)]
	if rpc then
		rpc.acked_in = rpc.acked_in or frame
	end
	return rpc
end

-- Everything about a packet that needs memory; called once for each, in order.
local function learn(tvb, pinfo, h, pieces)
	local seen = { acked = {} }
	if h.type == FREEZE then
		return seen
	end
	local rpc = learn_rpc(h)
	seen.rpc = rpc
	if h.type == DATA then
		learn_data(seen, rpc, h, tvb, pinfo, pieces)
		seen.acked[1] = learn_ack(h, tvb(36, 8):uint64(), tvb(44, 2):uint(), pinfo.number)
	elseif h.type == GRANT then
		-- The message that it is for goes the other way.
		local message = h.from_client and rpc.response or rpc.request
		if message then
			table.insert(message.grants, { offset = tvb(28, 4):uint(), frame = pinfo.number })
		end
	elseif h.type == ACK then
		rpc.acked_in = rpc.acked_in or pinfo.number
		for i = 1, math.min(tvb(28, 2):uint(), MAX_ACKS) do
			local at = 30 + (i - 1) * ACK_LENGTH
			seen.acked[i] = learn_ack(h, tvb(at, 8):uint64(), tvb(at + 8, 2):uint(), pinfo.number)
		end
	end
	return seen
end

-- The whole message, if this frame completes it.
local function whole(message)
	local sorted, text, upto = {}, {}, 0
	for i, part in ipairs(message.parts) do
		sorted[i] = part
	end
	table.sort(sorted, function(a, b) return a.start < b.start end)
	for _, part in ipairs(sorted) do
		local skip = math.max(0, upto - part.start)
		if part.stop > upto then
			text[#text + 1] = part.bytes:raw(skip)
			upto = part.stop
		end
	end
	return ByteArray.new(table.concat(text), true):tvb("Homa message")
end

-- ------------------------------------------------------------------------- display

local function generated(tree, field, value)
	if value then
		tree:add(field, value):set_generated()
	end
end

local function show_priority(tree)
	local field = ipv6_tclass()
	local tos = { ip_tos() }
	if not field and #tos > 0 then
		field = tos[#tos]
	end
	if field then
		generated(tree, f.priority, math.floor(field.value / 32))
	end
end

local function sum_of(range, sum)
	local n = range:len()
	for at = 0, n - 2, 2 do
		sum = sum + range(at, 2):uint()
	end
	return n % 2 == 1 and sum + range(n - 1, 1):uint() * 256 or sum
end

-- TCP's sum, with a pseudo header that says TCP.
local function checksum_ok(tvb)
	local sum = PROTO_TCP + tvb:len()
	for _, ends in ipairs({ ipv6_ends, ip_ends }) do
		local a, b = ends[1](), ends[2]()
		if a and b then
			sum = sum_of(b.range, sum_of(a.range, sum))
			break
		end
	end
	sum = sum_of(tvb(), sum)
	while sum > 0xffff do
		sum = sum % 0x10000 + math.floor(sum / 0x10000)
	end
	return sum == 0xffff
end

local function marked(tvb)
	return tvb(13, 1):uint() == FLAGS and tvb(18, 2):uint() == URGENT
end

local function show_common(tvb, tree, h)
	local sport = tree:add(f.sport, tvb(0, 2))
	tree:add(f.dport, tvb(2, 2))
	tree:add(f.port, tvb(0, 2)):set_hidden()
	tree:add(f.port, tvb(2, 2)):set_hidden()
	tree:add(f.sequence, tvb(4, 4))
	tree:add(f.type, tvb(11, 1))
	tree:add(f.doff, tvb(12, 1))
	local flags = tree:add(f.flags, tvb(13, 1))
	local window = tvb(14, 2):uint()
	local takes = math.min(window * WINDOW_UNIT, MAX_LARGE)
	tree:add(f.window, tvb(14, 2))
	if takes > MAX_MESSAGE then
		tree:add(f.takes, tvb(14, 2), takes):set_generated()
	end
	local checksum = tree:add(f.checksum, tvb(16, 2))
	tree:add(f.urgent, tvb(18, 2))
	tree:add(f.id, tvb(20, 8))
	if marked(tvb) then
		flags:append_text(", with the urgent pointer Homa's mark")
	else
		flags:add_proto_expert_info(e.marks)
	end
	if h.sport == 0 then
		sport:add_proto_expert_info(e.sport)
	end
	if homa.prefs.checksum and not in_udp and tvb:len() == tvb:reported_len() and not checksum_ok(tvb) then
		checksum:add_proto_expert_info(e.checksum)
	end
	show_priority(tree)
	generated(tree, f.encapsulated, in_tcp or in_udp)
	if h.type ~= FREEZE then
		tree:add(f.rpc, tvb(20, 8), h.rpc_id):set_generated()
		tree:add(f.from_client, tvb(27, 1), h.from_client):set_generated()
	end
end

local function show_ack(tree, tvb, at, rpc)
	local range = tvb(at, 8)
	local item = tree:add(f.ack_id, range)
	if tvb(at + 7, 1):uint() % 2 == 1 then
		item:add_proto_expert_info(e.ack_id)
	end
	tree:add(f.ack_port, tvb(at + 8, 2))
	generated(tree, f.acked_request, rpc and rpc.request and rpc.request.first)
end

local function show_pieces(tree, tvb, pieces, length)
	if #pieces > 1 then
		generated(tree, f.segments, #pieces)
	end
	for _, piece in ipairs(pieces) do
		local n = piece.stop - piece.start
		local sub = tree
		if #pieces > 1 then
			sub = tree:add(homa, tvb(piece.at - 4, n + 4), string.format(
				"Segment: bytes %d to %d", piece.start, piece.stop))
		end
		local item = sub:add(f.offset, tvb(piece.at - 4, 4))
		if tvb(piece.at - 4, 4):uint() == IN_SEQUENCE then
			item:append_text(" (it is in sequence)")
		end
		sub:add(f.start, tvb(piece.at - 4, 4), piece.start):set_generated()
		sub:add(f.stop, tvb(piece.at - 4, 4), piece.stop):set_generated()
		if n > 0 then
			sub:add(f.payload, tvb(piece.at, n))
		end
		if piece.stop > length then
			item:add_proto_expert_info(e.offset)
		elseif n < 1 then
			item:add_proto_expert_info(e.empty)
		end
	end
end

local function may_be_large(tvb)
	return math.floor(tvb(49, 1):uint() / HINT_LARGE) % 2 == 1
end

local function show_data(tvb, tree, h, seen, pieces)
	local length = tvb(28, 4):uint()
	local item = tree:add(f.message_length, tvb(28, 4))
	if length == 0 then
		item:add_proto_expert_info(e.length)
	elseif length > MAX_LARGE or (length > MAX_MESSAGE and not may_be_large(tvb)) then
		item:add_proto_expert_info(e.long)
	end
	if seen.differs then
		item:add_proto_expert_info(e.differs)
	end
	tree:add(f.incoming, tvb(32, 4))
	if tvb(36, 8):uint64() ~= UInt64(0) then
		show_ack(tree, tvb, 36, seen.acked[1])
	end
	tree:add(f.cutoff_version, tvb(46, 2))
	tree:add(f.retransmit, tvb(48, 1))
	local hints = tree:add(f.hints, tvb(49, 1))
	hints:add(f.incast, tvb(49, 1))
	hints:add(f.large, tvb(49, 1))
	tree:add(f.pad, tvb(50, 2))
	show_pieces(tree, tvb, pieces, length)
	if seen.scheduled ~= nil then
		generated(tree, f.scheduled, seen.scheduled)
	end
	generated(tree, f.granted_in, seen.granted_in or nil)
	if seen.same_in then
		tree:add(f.same_in, seen.same_in):set_generated():add_proto_expert_info(e.again)
	end
end

local function data_text(tvb, h, seen, pieces)
	local what = h.from_client and "request" or "response"
	local text = string.format("%s %d-%d of %d", what, pieces[1].start, pieces[#pieces].stop,
				   tvb(28, 4):uint())
	if #pieces > 1 then
		text = string.format("%s in %d segments", text, #pieces)
	end
	if tvb(48, 1):uint() == 1 then
		text = text .. ", sent again"
	elseif seen.scheduled then
		text = text .. ", scheduled"
	end
	if seen.same_in and not seen.new then
		text = text .. ", duplicate"
	end
	if tvb(36, 8):uint64() ~= UInt64(0) then
		text = text .. ", ACK " .. tostring(tvb(36, 8):uint64())
	end
	return text
end

local show = {}

show[GRANT] = function(tvb, tree)
	tree:add(f.grant_offset, tvb(28, 4))
	tree:add(f.grant_priority, tvb(32, 1))
	return string.format("up to %d, priority %d", tvb(28, 4):uint(), tvb(32, 1):uint())
end

show[RESEND] = function(tvb, tree)
	local start, length = tvb(28, 4):uint(), tvb(32, 4):uint()
	tree:add(f.resend_offset, tvb(28, 4)):add_proto_expert_info(e.resent)
	local item = tree:add(f.resend_length, tvb(32, 4))
	tree:add(f.resend_priority, tvb(36, 1))
	if length == 0 then
		item:add_proto_expert_info(e.resend)
	end
	if length == ALL then
		item:append_text(" (everything sent so far)")
		return string.format("from %d on, priority %d", start, tvb(36, 1):uint())
	end
	return string.format("%d-%d, priority %d", start, start + length, tvb(36, 1):uint())
end

show[CUTOFFS] = function(tvb, tree)
	local list = {}
	for level = 0, 7 do
		local cutoff = tvb(28 + 4 * level, 4)
		tree:add(f.cutoff, cutoff):prepend_text("Level " .. level .. ": ")
		list[#list + 1] = cutoff:uint()
	end
	tree:add(f.version, tvb(60, 2))
	return string.format("version %d: %s", tvb(60, 2):uint(), table.concat(list, " "))
end

show[ACK] = function(tvb, tree, _, seen)
	local n = tvb(28, 2):uint()
	local item = tree:add(f.num_acks, tvb(28, 2))
	if n > MAX_ACKS then
		item:add_proto_expert_info(e.records)
	end
	for i = 1, math.min(n, MAX_ACKS) do
		local at = 30 + (i - 1) * ACK_LENGTH
		local sub = tree:add(homa, tvb(at, ACK_LENGTH), "Record " .. i)
		show_ack(sub, tvb, at, seen.acked[i])
	end
	return n > 0 and string.format("and %d others", n) or ""
end

show[UNKNOWN] = function(_, tree)
	tree:add_proto_expert_info(e.unknown)
	return ""
end

show[FREEZE] = function(_, tree)
	tree:add_proto_expert_info(e.freeze)
	return ""
end

-- Links between the packets of an RPC.
local function show_rpc(tree, h, seen)
	local rpc = seen.rpc
	local request, response = rpc and rpc.request, rpc and rpc.response
	if not rpc then
		return
	end
	if request and not (h.type == DATA and h.from_client) then
		generated(tree, f.request_in, request.first)
	end
	if response and not (h.type == DATA and not h.from_client) then
		generated(tree, f.response_begin, response.first)
		generated(tree, f.response_in, response.complete)
	end
	if seen.message and not seen.completes then
		generated(tree, f.complete_in, seen.message.complete)
	end
	if h.type ~= ACK then
		generated(tree, f.acked_in, rpc.acked_in)
	end
	if seen.completes then
		generated(tree, f.message_time, seen.message.done - seen.message.began)
		if seen.message == response and request then
			generated(tree, f.time, response.done - request.began)
		end
	end
end

-- The data: of the whole message where it is complete, else of this packet.
local function show_payload(tvb, pinfo, tree, root, h, seen, pieces)
	local body
	if seen.completes and #seen.message.parts > 1 and homa.prefs.reassemble and
	   seen.message.length <= REASSEMBLED_MAX then
		body = whole(seen.message)
		tree:add(homa, body(), string.format("Message of %d bytes, from %d packets",
			seen.message.length, #seen.message.parts)):set_generated()
	elseif #pieces == 1 and pieces[1].stop > pieces[1].start then
		body = tvb(pieces[1].at):tvb()
	else
		return
	end
	local complete = seen.message and seen.message.length == body:len()
	if not (complete and ports:try(h.server_port, body, pinfo, root) > 0) then
		plain_data:call(body, pinfo, root)
	end
end

local function roles_ok(h)
	return not (h.type == NEED_ACK and h.from_client) and not (h.type == ACK and not h.from_client)
end

-- A packet that is not whole, or of no known type: say what can be said.
local function show_stump(tvb, pinfo, tree, kind)
	local needed = kind and LENGTHS[kind] or COMMON_LENGTH
	local why = tvb:reported_len() >= needed and e.cut or e.short
	if tvb:len() >= COMMON_LENGTH then
		tree:add(f.type, tvb(11, 1))
		if not kind or not LENGTHS[kind] then
			why = e.type
		end
	end
	tree:add_proto_expert_info(why)
	pinfo.cols.info:set(why == e.type and string.format("Unknown type 0x%02x", kind) or
			    why == e.short and "[Malformed: header is not whole]" or
			    (TYPES[kind] or "Homa") .. " [cut short by the capture]")
end

local function show_packet(tvb, pinfo, tree, root, h, seen)
	local pieces = h.type == DATA and pieces_of(tvb, h)
	if not seen then
		seen = (pinfo.in_error_pkt or tvb:len() < tvb:reported_len()) and { acked = {} } or
		       frames[pinfo.number]
	end
	if not seen then
		seen = learn(tvb, pinfo, h, pieces)
		frames[pinfo.number] = seen
	end
	show_common(tvb, tree, h)
	if not roles_ok(h) then
		tree:add_proto_expert_info(e.role)
	end
	local text = ""
	if h.type == DATA then
		show_data(tvb, tree, h, seen, pieces)
		text = data_text(tvb, h, seen, pieces)
	elseif show[h.type] then
		text = show[h.type](tvb, tree, h, seen)
	end
	if h.type ~= DATA and tvb:reported_len() > LENGTHS[h.type] then
		tree:add(f.rest, tvb(LENGTHS[h.type])):add_proto_expert_info(e.rest)
	end
	show_rpc(tree, h, seen)
	pinfo.cols.info:set(string.format("%d \226\134\146 %d %s%s %s", h.sport, h.dport, TYPES[h.type],
		h.type == FREEZE and "" or " RPC " .. tostring(h.rpc_id), text))
	tree:append_text(string.format(", %s, %d to %d", TYPES[h.type], h.sport, h.dport))
	if h.type == DATA then
		show_payload(tvb, pinfo, tree, root, h, seen, pieces)
	end
end

function homa.dissector(tvb, pinfo, root)
	local tree = root:add(homa, tvb())
	local kind = tvb:len() >= COMMON_LENGTH and tvb(11, 1):uint() or nil
	local h = kind and common_of(tvb, pinfo)
	pinfo.cols.protocol:set("Homa")
	if h then
		pinfo.src_port, pinfo.dst_port = h.sport, h.dport
	end
	if not h or not LENGTHS[kind] or tvb:len() < LENGTHS[kind] then
		show_stump(tvb, pinfo, tree, kind)
	else
		show_packet(tvb, pinfo, tree, root, h)
	end
	return tvb:len()
end

local tables = DissectorTable.get("ip.proto")
tables:add(PROTO_HOMA, homa)

-- ---------------------------------------------------------- packets that travel as TCP

local tcp = tables:get_dissector(PROTO_TCP)
local homa_tcp = Proto("homa_tcp", "Homa or TCP")

local function is_homa(tvb)
	return homa.prefs.tcp and tvb:len() >= COMMON_LENGTH and marked(tvb) and
	       LENGTHS[tvb(11, 1):uint()] ~= nil
end

function homa_tcp.dissector(tvb, pinfo, root)
	if not is_homa(tvb) then
		return tcp:call(tvb, pinfo, root)
	end
	in_tcp = true
	homa.dissector(tvb, pinfo, root)
	in_tcp = false
	pinfo.cols.protocol:set("Homa/TCP")
	return tvb:len()
end

tables:set(PROTO_TCP, homa_tcp)

-- ------------------------------------------------------------ packets that travel in UDP's

-- The port is the administrator's choice (udp_encap_port), so the marks tell; what has none is
-- for "Decode As".
local function in_datagram(tvb, pinfo, root)
	in_udp = true
	homa.dissector(tvb, pinfo, root)
	in_udp = false
	pinfo.cols.protocol:set("Homa/UDP")
	return true
end

homa:register_heuristic("udp", function(tvb, pinfo, root)
	return homa.prefs.udp and tvb:len() >= COMMON_LENGTH and marked(tvb) and
	       LENGTHS[tvb(11, 1):uint()] ~= nil and in_datagram(tvb, pinfo, root)
end)
DissectorTable.get("udp.port"):add_for_decode_as(homa)
